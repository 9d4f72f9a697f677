"""The peak of a process's memory."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import sys
from pathlib import Path

import torch

from mmtranspose.errors import InputError

M_MMAP_THRESHOLD = -3
STATUS, CLEAR = Path('/proc/self/status'), Path('/proc/self/clear_refs')


class PeakMemory:
    """Measures how much the peak of this process's memory grows from now on.

    On a CPU this is the peak resident size of the process, on a GPU the peak of the memory that PyTorch allocates.
    Freed memory is first returned to the system and the peak so far is forgotten (Linux only), because the building
    of a model takes more memory than the model keeps, and would hide the memory of small calls.

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


def map_large_blocks() -> None:
    """Make glibc return every block over 128 KiB to the system when it is freed, for the rest of this process.

    By itself glibc raises that limit to the size of the largest block freed so far, up to 32 MiB. What was freed
    before, a checkpoint that was read for instance, would then decide how much free memory counts in a peak.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL('libc.so.6').mallopt(M_MMAP_THRESHOLD, 2**17)


def _forget_peak() -> None:
    """Return freed memory to the system and reset VmHWM to the resident size, where the system can do that."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL('libc.so.6').malloc_trim(0)
        CLEAR.write_text('5', encoding='ascii')


def _peak_resident_size() -> int:
    """The peak in bytes. VmHWM is the process's own; on Linux a child's ``ru_maxrss`` starts at its parent's value."""
    if STATUS.is_file():
        line = next(line for line in STATUS.read_text(encoding='utf-8').splitlines() if line.startswith('VmHWM:'))
        return int(line.split()[1]) * 1024
    try:
        import resource
    except ImportError as error:  # Windows
        raise InputError('on a CPU, memory is measured on Linux and macOS alone: use --device cuda') from error
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == 'darwin' else peak * 1024  # macOS counts bytes
