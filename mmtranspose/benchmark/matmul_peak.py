"""The rate at which a device multiplies matrices, to compare a network's rate with."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import torch

from mmtranspose.acceleration.options import DTYPES
from mmtranspose.benchmark.candidate import Candidate, Task
from mmtranspose.benchmark.worker import Worker, timed

SIZES = {'cpu': (1024, 2048, 4096), 'cuda': (2048, 4096, 8192, 16384)}
CALLS = 5  # of which the fastest counts
PATIENCE = 2.0  # seconds; a size whose product takes longer is the last one


def matmul_peak(precision: str, device: str, threads: int | None = None) -> float:
    """Measure the FLOP/s (2 n^3 for a product) of PyTorch's fastest product of square matrices, in a process.

    Args:
        precision (str): A key of ``DTYPES``, or ``'tf32'``: float32 on a GPU's TensorFloat-32 units.
        device (str): ``'cpu'``, ``'cuda:0'``, ...
        threads (int | None): Threads of PyTorch; None leaves the number to it.
    """
    arguments = dict(precision=precision, device=device, sizes=SIZES[torch.device(device).type])
    with Worker(Candidate(f'matmul {precision}', build_search, arguments, device), threads) as worker:
        return worker.outputs['flops'].item()


def build_search(precision: str, device: str, sizes: Sequence[int]) -> Task:
    """The task that looks for the size whose product is fastest."""
    torch.backends.cuda.matmul.allow_tf32 = precision == 'tf32'
    dtype = torch.float32 if precision == 'tf32' else DTYPES[precision]
    return Task(lambda: fastest(dtype, device, sizes), lambda flops: dict(flops=np.array(flops)))


def fastest(dtype: torch.dtype, device: str, sizes: Sequence[int]) -> float:
    """FLOP/s of the fastest product of two square matrices of one of the sizes."""
    best = 0.0
    for size in sizes:
        a, b = (torch.randn(size, size).to(device, dtype) for _ in range(2))
        torch.mm(a, b)  # loads libraries and allocates
        seconds = []
        for _ in range(CALLS):
            seconds.append(timed(partial(torch.mm, a, b), device)[0])
            if seconds[-1] > PATIENCE:
                break
        best = max(best, 2 * size**3 / min(seconds))
        if min(seconds) > PATIENCE:
            break
    return best
