"""What is benchmarked, and how."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from mmtranspose.acceleration.options import DTYPES, native
from mmtranspose.errors import InputError
from mmtranspose.loading.init_model import require_device


@dataclass
class Settings:
    """What the sub-modes of the benchmark share; each looks at what concerns it.

    Args:
        config (str): Config file, or a model's name.
        checkpoint (str | None): Weights; None: random ones, see :func:`random_weights`.
        device (str): ``'cpu'``, ``'cuda:0'``, ...
        dtypes (tuple[str, ...]): Of our side, a way each: keys of ``DTYPES``. The baseline is fp32.
        compile (bool): Add our ways with ``torch.compile``.
        repeats (int): Rounds that count.
        warmup (int): Rounds before them that do not.
        threads (int | None): Of PyTorch and OpenCV in each process; None: their own choice.
        baseline_keeps_memory (bool): Give the baseline :mod:`mmtranspose.compat.keep_memory` too.
        checkpointing (bool): ``train-step``: our side recomputes the encoder in the backward pass (``neck.with_cp``).
        images (str | None): ``end-to-end``: a folder of images; None: synthetic people are drawn.
        bboxes (str | None): ``end-to-end``: a folder with NAME.json for each image NAME.*.
        images (int): ``end-to-end``: how many images are drawn.
        people (int): ``end-to-end``: boxes in each drawn image.
        folder (Path | None): Where drawn images, random weights and results go while it runs.

    Raises:
        InputError: A number is too small, or a name unknown.
    """

    config: str
    checkpoint: str | None = None
    device: str = 'cpu'
    dtypes: tuple[str, ...] = ('fp32',)
    compile: bool = False
    repeats: int = 10
    warmup: int = 2
    threads: int | None = None
    baseline_keeps_memory: bool = False
    checkpointing: bool = False
    images: str | None = None
    bboxes: str | None = None
    pictures: int = 8
    people: int = 8
    folder: Path | None = None

    def __post_init__(self):
        least = dict(repeats=1, warmup=0, threads=1, pictures=1, people=1)
        for name, value in least.items():
            require_at_least(f'--{name}', getattr(self, name), value)
        require_device(self.device)
        for dtype in self.dtypes:
            if dtype not in DTYPES:
                raise InputError(f'dtype {dtype} is unknown; choose from {", ".join(DTYPES)}')
        if (self.images is None) != (self.bboxes is None):
            raise InputError('--images and --bboxes go together: a folder of images and one of their boxes')

    def precision(self, dtype: str) -> str:
        """The dtype, or ``'tf32'`` where that is what PyTorch convolves fp32 in by default: on GPUs."""
        tf32 = torch.device(self.device).type == 'cuda' and torch.backends.cudnn.allow_tf32
        return 'tf32' if dtype == 'fp32' and tf32 else dtype

    def variants(self) -> list[tuple[str, str, bool]]:
        """Our ways: name, dtype, and whether it is compiled. Where a dtype falls back to fp32 the name says so."""
        ways = []
        for wanted in self.dtypes:
            fallback = wanted != 'fp32' and not native(wanted, torch.device(self.device))
            dtype = 'fp32' if fallback else wanted
            name = f'ours {wanted}{" (runs in fp32)" if fallback else ""}'
            ways.append((name, dtype, False))
            if self.compile:
                ways.append((f'{name}, compiled', dtype, True))
        return ways


def require_at_least(name: str, value: int | None, least: int) -> None:
    """Check a number that the user gave; None is none.

    Raises:
        InputError: It is too small.
    """
    if value is not None and value < least:
        raise InputError(f'{name} is {value}; it must be at least {least}')
