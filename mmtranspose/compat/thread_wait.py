"""CPU threads that wait asleep.

Fault: the OpenMP runtime in PyTorch's wheels (libgomp) lets threads spin while they wait for each other. Where another
process wants a core meanwhile, a data loader's worker for instance, every parallel loop waits for the spinning
thread's time slice to end: a training step took 842 ms beside one busy process, and 214 ms with threads that sleep.
Versions: torch on Linux, with libgomp.
Can go: when PyTorch's runtime yields.
"""

import os
import sys


def apply() -> None:
    """Ask for sleeping threads, unless the user has chosen or torch (and with it libgomp) is loaded already."""
    if 'torch' not in sys.modules:
        os.environ.setdefault('OMP_WAIT_POLICY', 'passive')
