"""Measurements in processes of their own."""

from __future__ import annotations

import multiprocessing
import resource
from collections.abc import Callable
from pathlib import Path

import torch


def in_own_process(function: Callable, *args):
    """``function(*args)`` in a fresh process: its peak memory is nobody else's. Both must be picklable."""
    with multiprocessing.get_context('spawn').Pool(1) as pool:
        return pool.apply(function, args)


class PeakMemory:
    """How much the peak grows from here on.

    On a CPU the peak resident size of the process, on a GPU the memory allocated by PyTorch.

    Args:
        device (str): ``'cpu'`` or ``'cuda:0'``.
    """

    def __init__(self, device: str):
        self.cuda = torch.device(device).type == 'cuda'
        if self.cuda:
            torch.cuda.reset_peak_memory_stats()
        self.before = torch.cuda.memory_allocated() if self.cuda else self._now()

    def _now(self) -> int:
        if self.cuda:
            torch.cuda.synchronize()
            return torch.cuda.max_memory_allocated()
        return _peak_resident_size()

    @property
    def mib(self) -> float:
        """Growth so far, in MiB."""
        return (self._now() - self.before) / 2**20


def _peak_resident_size() -> int:
    """Bytes. (A child's ``ru_maxrss`` begins with its parent's on Linux; VmHWM is the process's own.)"""
    status = Path('/proc/self/status')
    if status.is_file():
        line = next(line for line in status.read_text().splitlines() if line.startswith('VmHWM:'))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
