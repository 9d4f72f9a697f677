"""The fastest that a device multiplies matrices: what the rest is measured by."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import torch

from mmtranspose.acceleration.options import DTYPES
from mmtranspose.benchmark.candidate import Task, Way
from mmtranspose.benchmark.worker import Worker

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
