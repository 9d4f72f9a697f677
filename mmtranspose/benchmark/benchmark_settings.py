"""What is benchmarked, and how."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from mmtranspose.acceleration.options import DTYPES, is_native
from mmtranspose.errors import InputError, require_at_least, require_choice
from mmtranspose.explain.attention import DIRECTIONS
from mmtranspose.loading.init_model import require_device

CANDIDATES = ('torch', 'openvino', 'openvino-int8', 'onnxruntime')


@dataclass
class BenchmarkSettings:
    """Settings of all modes of the benchmark; a mode reads those that concern it.

    Args:
        config (str): Config file, or a model's name.
        checkpoint (str | None): Weights; None for random ones, see :func:`random_weights`.
        device (str): ``'cpu'``, ``'cuda:0'``, ...
        dtypes (tuple[str, ...]): Keys of ``DTYPES``, one candidate for each. The baseline computes in fp32.
        candidates (tuple[str, ...]): ``forward``, ``exported``: names of :data:`CANDIDATES`, beside the baseline.
        compile (bool): Add these candidates a second time, with ``torch.compile``.
        repeats (int): Rounds that count.
        warmup (int): Rounds before them that do not count.
        threads (int | None): Threads of PyTorch, OpenCV, ONNX Runtime and OpenVINO in each process; None leaves the
            number to them.
        baseline_keeps_memory (bool): Apply :mod:`mmtranspose.compat.keep_memory` to the baseline too.
        checkpointing (bool): ``train-step``: ours computes the encoder again in the backward pass (``neck.with_cp``).
        direction (str): ``explanation``: ``'dependency'`` or ``'affect'``.
        images (str | None): ``end-to-end``, ``loading``, ``evaluating``, ``resume``: a folder of images; None draws
            synthetic people.
        bboxes (str | None): A folder with the bounding boxes NAME.json of each image NAME.*; given with ``images``.
        num_images (int): Number of images that are drawn.
        people (int): Bounding boxes in each drawn image.
        allow_non_finite (bool): Accept a checkpoint with weights that are NaN or infinite.
        workers (tuple[int, ...]): ``workers``: numbers of processes that share the images, beside one.
        steps (int): ``resume``: steps of an epoch, which a call trains.
        epoch_samples (int | None): ``resume``: samples of an epoch in a real training, of whose time the share of
            checkpoints is computed.

    Raises:
        InputError: A number is too small, a name is unknown, the device is not there, or a candidate cannot use it.
    """

    config: str
    checkpoint: str | None = None
    device: str = 'cpu'
    dtypes: tuple[str, ...] = ('fp32',)
    candidates: tuple[str, ...] = ('torch',)
    compile: bool = False
    repeats: int = 10
    warmup: int = 2
    threads: int | None = None
    baseline_keeps_memory: bool = False
    checkpointing: bool = False
    direction: str = 'dependency'
    images: str | None = None
    bboxes: str | None = None
    num_images: int = 8
    people: int = 8
    allow_non_finite: bool = False
    workers: tuple[int, ...] = (2,)
    steps: int = 10
    epoch_samples: int | None = None

    def __post_init__(self) -> None:
        least = dict(repeats=1, warmup=0, threads=1, num_images=1, people=1, steps=1, epoch_samples=1)
        for name, value in least.items():
            require_at_least(f'--{name.replace("_", "-")}', getattr(self, name), value)
        require_device(self.device)
        for count in self.workers:
            require_at_least('--workers', count, 1)
        for dtype in self.dtypes:
            require_choice('dtype', dtype, DTYPES)
        for candidate in self.candidates:
            require_choice('candidate', candidate, CANDIDATES)
            if candidate.startswith('openvino') and torch.device(self.device).type != 'cpu':
                raise InputError(
                    f'candidate {candidate} runs on the CPU, not on {self.device}: leave it out (--candidates)'
                )
        require_choice('direction', self.direction, DIRECTIONS)
        if (self.images is None) != (self.bboxes is None):
            raise InputError('--images and --bboxes go together: a folder of images and one of their bounding boxes')

    def precision(self, dtype: str) -> str:
        """The dtype that convolutions compute in: ``dtype``, or ``'tf32'`` for fp32 on a GPU, PyTorch's default."""
        tf32 = torch.device(self.device).type == 'cuda' and torch.backends.cudnn.allow_tf32
        return 'tf32' if dtype == 'fp32' and tf32 else dtype

    def formats(self) -> list[tuple[str, str]]:
        """Names and dtypes in which accelerated models compute. The name says where a dtype falls back to fp32."""
        device = torch.device(self.device)
        return [
            (dtype, dtype) if dtype == 'fp32' or is_native(dtype, device) else (f'{dtype} (runs in fp32)', 'fp32')
            for dtype in self.dtypes
        ]

    def variants(self) -> list[tuple[str, str, bool]]:
        """Our candidates: name, dtype as in :meth:`formats`, and whether it is compiled."""
        endings = {False: '', True: ', compiled'} if self.compile else {False: ''}
        return [
            (f'ours {name}{ending}', dtype, compiled)
            for name, dtype in self.formats()
            for compiled, ending in endings.items()
        ]
