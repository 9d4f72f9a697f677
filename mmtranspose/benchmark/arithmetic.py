"""A network's multiply-accumulates, and the fastest that a device multiplies matrices."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from mmengine.config import Config
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from mmtranspose.acceleration.options import DTYPES
from mmtranspose.benchmark.candidate import Task, Way
from mmtranspose.benchmark.worker import Worker
from mmtranspose.errors import InputError
from mmtranspose.loading.closest_model import build_empty
from mmtranspose.loading.config import load_config, require_model


class Count(NamedTuple):
    """Of one image: the input's (h, w), parameters, and multiply-accumulates by module, ``''`` the whole."""

    shape: tuple[int, int]
    parameters: int
    macs: dict[str, int]

    @property
    def total(self) -> int:
        """Multiply-accumulates of the whole network."""
        return self.macs['']


class _Network(nn.Module):
    """Heatmaps of an image, so that the counter sees one tree of modules."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.model(inputs, None, mode='tensor')


def count(config: str, shape: tuple[int, int] | None = None) -> Count:
    """Count a config's network: convolutions and matrix products, those of attention included; nothing is computed.

    The network is built on PyTorch's ``meta`` device, where ``scaled_dot_product_attention`` is counted as its two
    matrix products. (The fused kernel for CPUs has no formula in ``torch.utils.flop_counter``.) Additions, norms, ReLU
    and softmax do not count.

    Args:
        config (str): Config file, or a model's name.
        shape (tuple[int, int] | None): Input (h, w); None: that of the config's codec.

    Raises:
        InputError: The config cannot be used, or the network cannot take an image of this shape.
    """
    cfg = load_config(config)
    require_model(cfg)
    shape = tuple(shape or _input_shape(cfg))
    if min(shape) < 1:
        raise InputError(f'--shape {shape[0]} {shape[1]}: height and width must be at least 1')
    try:
        model = build_empty(cfg.filename)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f'{cfg.filename}: the model cannot be built: {error}') from error
    parameters = sum(parameter.numel() for parameter in model.parameters())
    try:
        macs = count_macs(_Network(model.eval()), torch.empty(1, 3, *shape, device='meta'))
    except RuntimeError as error:
        sentence = str(error).splitlines()[0]
        raise InputError(f'--shape {shape[0]} {shape[1]}: the network cannot take it: {sentence}') from error
    return Count(shape, parameters, {name.removeprefix('model').removeprefix('.'): n for name, n in macs.items()})


def count_macs(module: nn.Module, *inputs: torch.Tensor) -> dict[str, int]:
    """Multiply-accumulates of one call, by the names of ``module``'s modules; ``''`` is itself."""
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        module(*inputs)
    macs, own = {'': counter.get_total_flops() // 2}, f'{type(module).__name__}.'
    for name, operations in counter.get_flop_counts().items():
        if name.startswith(own):
            macs[name.removeprefix(own)] = sum(operations.values()) // 2
    return macs


def deconvolutions(found: Count) -> int:
    """Multiply-accumulates of the head's transposed convolutions."""
    return found.macs.get('head.deconv_layers', 0)


def _input_shape(cfg: Config) -> tuple[int, int]:
    codec = cfg.model.get('head', {}).get('decoder') or cfg.get('codec') or {}
    if 'input_size' not in codec:
        raise InputError(f'config {cfg.filename} does not say the size of its input; give --shape H W')
    w, h = codec['input_size']
    return h, w


SIZES = {'cpu': (1024, 2048, 4096), 'cuda': (2048, 4096, 8192, 16384)}


CALLS = 5  # of which the fastest counts


PATIENCE = 2.0  # seconds; a size whose product takes longer is the last one


def matmul_peak(precision: str, device: str, threads: int | None = None) -> float:
    """FLOP/s (2 n^3 for a product) of the fastest square product in PyTorch, in a process of its own.

    Args:
        precision (str): A key of ``DTYPES``, or ``'tf32'``: float32 as a GPU's TensorFloat-32 units take it.
        device (str): ``'cpu'``, ``'cuda:0'``, ...
        threads (int | None): See :class:`Worker`.
    """
    arguments = dict(precision=precision, device=device, sizes=SIZES[torch.device(device).type])
    with Worker(Way(f'matmul {precision}', build_search, arguments, device), threads) as worker:
        return worker.outputs['flops'].item()


def build_search(precision: str, device: str, sizes: Sequence[int]) -> Task:
    """The search for the fastest size."""
    torch.backends.cuda.matmul.allow_tf32 = precision == 'tf32'
    dtype = torch.float32 if precision == 'tf32' else DTYPES[precision]
    return Task(lambda: fastest(dtype, device, sizes), lambda flops: dict(flops=np.array(flops)))


def fastest(dtype: torch.dtype, device: str, sizes: Sequence[int]) -> float:
    """FLOP/s of the fastest product of two square matrices of these sizes."""
    best = 0.0
    for size in sizes:
        a, b = (torch.randn(size, size).to(device, dtype) for _ in range(2))
        torch.mm(a, b)  # libraries load, memory is taken
        seconds = []
        for _ in range(CALLS):
            seconds.append(_seconds(a, b))
            if seconds[-1] > PATIENCE:
                break
        best = max(best, 2 * size**3 / min(seconds))
        if min(seconds) > PATIENCE:
            break
    return best


def _seconds(a: torch.Tensor, b: torch.Tensor) -> float:
    cuda = a.device.type == 'cuda'
    if cuda:
        torch.cuda.synchronize()
    start = time.perf_counter()
    torch.mm(a, b)
    if cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - start
