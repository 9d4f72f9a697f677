"""Work for a benchmark's process that loads little, so that the process starts quickly."""

import os
import signal

import numpy as np
import torch

from mmtranspose.benchmark.candidate import Task


def build_memory(mib: int, calls: int, end: str) -> Task:
    """Allocate ``mib`` for a moment in each call; the call after the last one fails, or kills the process."""
    numbers = iter(range(1, calls + 1))
    ballast = torch.ones(2**26)  # 256 MiB while it is built, which must not hide what a call takes
    del ballast

    def run() -> int:
        torch.ones(mib * 2**18).sum()
        number = next(numbers, None)
        if number is None and end == 'killed':
            os.kill(os.getpid(), signal.SIGKILL)
        if number is None:
            raise IndexError('no call is left')
        return number

    return Task(run, lambda number: dict(number=np.array(number), threads=np.array(torch.get_num_threads())))
