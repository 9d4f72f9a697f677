"""Notice that this job is to end soon, and agree among processes at which step to act on it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import torch
from mmengine.dist import get_world_size
from mmengine.registry import FUNCTIONS
from torch import Tensor, distributed

# Slurm sends SIGTERM before it kills a job (SIGUSR1 by --signal=USR1@120); spot machines send SIGTERM.
SIGNALS = (signal.SIGTERM, signal.SIGUSR1)


class PreemptionSignals:
    """Notes SIGTERM and SIGUSR1 instead of ending the process, between :meth:`install` and :meth:`restore`.

    Attributes:
        received (bool): Whether one of the signals has come.
    """

    def __init__(self) -> None:
        self.received = False
        self._before: dict[int, Any] = {}

    def install(self) -> None:
        """Begin to note signals. Python allows this in the main thread only; elsewhere nothing is noted."""
        self.received = False
        if threading.current_thread() is threading.main_thread() and not self._before:
            self._before = {number: signal.signal(number, self._note) for number in SIGNALS}

    def restore(self) -> None:
        """Give the signals the handlers that they had before."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def _note(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002  Python's arguments
        self.received = True


@contextmanager
def signals_restored() -> Iterator[None]:
    """Finally give the signals the handlers that they have now, if a training that failed left its own."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@FUNCTIONS.register_module()
def ignore_preemption(
    worker_id: int,  # noqa: ARG001  PyTorch's argument
    _scope_: str | None = None,  # noqa: ARG001  mmengine writes it into configs that others are built on
) -> None:
    """Let a worker of a data loader ignore SIGTERM and SIGUSR1; use it as the loader's ``worker_init_fn``.

    Slurm signals every process of a job. A worker that ended at once would take the training with it before the
    checkpoint is written. Workers end when the training tells them to, or is gone.
    """
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


class Agreement:
    """Tells every process at the same step what any of them has noticed.

    Processes that train together must stop at the same step. What they noticed is exchanged between hosts, beside the
    work on the devices: an exchange begins at one step and is read at the next, so nobody waits for it.
    """

    def __init__(self) -> None:
        self.group = distributed.new_group(backend='gloo') if get_world_size() > 1 else None
        self._work: distributed.Work | None = None
        self._noticed: Tensor | None = None

    def __call__(self, *noticed: bool) -> list[bool]:
        """Hand over what this process has noticed; every process must call it at every step.

        Args:
            *noticed (bool): Facts, in the same order in all processes.

        Returns:
            list[bool]: For each fact, whether any process noticed it: at this step if there is one process, at the
            step before if there are more.
        """
        if self.group is None:
            return list(noticed)
        answer = self.wait() or [False] * len(noticed)
        self._noticed = torch.tensor(noticed, dtype=torch.int32)
        self._work = distributed.all_reduce(self._noticed, op=distributed.ReduceOp.MAX, group=self.group, async_op=True)
        return answer

    def now(self, *noticed: bool) -> list[bool]:
        """As a call, but wait for the answer of this exchange."""
        answer = self(*noticed)
        return self.wait() or answer

    def wait(self) -> list[bool] | None:
        """Complete the last exchange and return its answer; None if there was none."""
        if self._work is None or self._noticed is None:
            return None
        self._work.wait()
        self._work = None
        return [bool(value) for value in self._noticed.tolist()]
