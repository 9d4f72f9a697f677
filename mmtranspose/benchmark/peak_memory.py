"""Peak memory of this very process."""

from __future__ import annotations

import ctypes
import gc
import resource
from pathlib import Path

import torch

STATUS, CLEAR = Path('/proc/self/status'), Path('/proc/self/clear_refs')


class PeakMemory:
    """How much the peak grows from here on.

    On a CPU the peak resident size of the process, on a GPU the memory allocated by PyTorch. What was freed before goes
    back to the system first, and the peak so far is forgotten (on Linux), so that the building of a model hides
    nothing.

    Args:
        device (str): ``'cpu'`` or ``'cuda:0'``.
    """

    def __init__(self, device: str):
        self.cuda = torch.device(device).type == 'cuda'
        gc.collect()
        if self.cuda:
            torch.cuda.reset_peak_memory_stats()
        else:
            _forget_peak()
        self.before = self._now()

    def _now(self) -> int:
        if self.cuda:
            torch.cuda.synchronize()
            return torch.cuda.max_memory_allocated()
        return _peak_resident_size()

    @property
    def mib(self) -> float:
        """Growth so far, in MiB."""
        return (self._now() - self.before) / 2**20


def _forget_peak() -> None:
    """Free what can be freed and put VmHWM to the resident size; where that cannot be done the peak stays as it is."""
    try:
        ctypes.CDLL('libc.so.6').malloc_trim(0)
        CLEAR.write_text('5')
    except (OSError, AttributeError):
        pass


def _peak_resident_size() -> int:
    """Bytes. (A child's ``ru_maxrss`` begins with its parent's on Linux; VmHWM is the process's own.)"""
    if STATUS.is_file():
        line = next(line for line in STATUS.read_text().splitlines() if line.startswith('VmHWM:'))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
