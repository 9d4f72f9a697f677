"""Keep the stack on which a thread's signals are handled when OpenVINO's CPU device is loaded.

Fault: every ``openvino.Core`` gives the thread that first asks it for the CPU a stack for signals of its own, and puts
the former one back when it is freed. Two of them that are freed in the order in which they were made leave a stack
whose memory is gone. The next signal that PyTorch's loaders handle there, which is the end of any child process, ends
the process: a training that follows a conversion dies without a word.
Versions: openvino <= 2026.4.
Can go: when src/plugins/intel_cpu/src/plugin.cpp has no ``SigAltStackSetup``.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from mmtranspose.compat.patching import replace_once


class SignalStack(ctypes.Structure):
    """Linux's ``stack_t``."""

    _fields_ = (('address', ctypes.c_void_p), ('flags', ctypes.c_int), ('size', ctypes.c_size_t))


def apply() -> None:
    """Change :class:`openvino.Core`. Call it once ``openvino`` is imported."""
    import openvino

    if sys.platform == 'linux':
        replace_once(openvino.Core, '__init__', _with_cpu_loaded)


def signal_stack() -> SignalStack:
    """The stack of this thread's signals. Linux only."""
    stack = SignalStack()
    ctypes.CDLL(None).sigaltstack(None, ctypes.byref(stack))
    return stack


@contextmanager
def signal_stack_kept() -> Iterator[None]:
    """Put this thread's stack for signals back at the end. Linux only."""
    stack = signal_stack()
    try:
        yield
    finally:
        ctypes.CDLL(None).sigaltstack(ctypes.byref(stack), None)


def _with_cpu_loaded(original: Callable) -> Callable:
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        with signal_stack_kept():
            original(self, *args, **kwargs)
            with suppress(Exception):  # an installation without the CPU device
                self.get_property('CPU', 'FULL_DEVICE_NAME')

    return __init__
