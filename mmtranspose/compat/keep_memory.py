"""Keep large blocks of memory between operations on a CPU.

Fault: PyTorch allocates CPU memory with glibc, which maps every block over 32 MiB anew and unmaps it when it is freed,
so the kernel clears each page at each use. A training step on a CPU spent most of its time on that (R-A3, batch 8, on a
virtual machine: 9.5 s, and 2.0 s with this work-around).
Versions: any torch on glibc.
Can go: when PyTorch caches CPU memory as it does GPU memory.
"""

from __future__ import annotations

import ctypes

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4


def apply() -> bool:
    """Make glibc keep freed memory in this process for its next use. For programs, not for libraries.

    Returns:
        bool: Whether this was done; False on systems without glibc.
    """
    try:
        mallopt = ctypes.CDLL('libc.so.6').mallopt
    except (OSError, AttributeError):
        return False
    settings = {M_MMAP_MAX: 0, M_TRIM_THRESHOLD: 2**31 - 1, M_TOP_PAD: 2**26}
    return all(mallopt(option, value) == 1 for option, value in settings.items())
