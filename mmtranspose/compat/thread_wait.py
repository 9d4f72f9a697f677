"""Let CPU threads sleep while they wait for each other.

Fault: in the OpenMP runtime of PyTorch's wheels (libgomp) waiting threads spin. If another process needs the core
meanwhile, such as a data loader's worker, every parallel loop waits until the spinning thread's time slice ends. Beside
one busy process a training step took 842 ms, and 214 ms with sleeping threads.
Versions: torch on Linux, with libgomp.
Can go: when waiting threads of PyTorch's runtime give up the core.
"""

import os
import sys


def apply() -> None:
    """Ask for sleeping threads, unless the user has chosen, or torch (and with it libgomp) is loaded already."""
    if 'torch' not in sys.modules:
        os.environ.setdefault('OMP_WAIT_POLICY', 'passive')
