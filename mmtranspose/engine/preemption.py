"""Notice that this job is to end soon, and agree among processes at which step to act on it."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType
from typing import Any

import torch
from mmengine.dist import get_world_size
from torch import Tensor, distributed
from torch.utils.data import DataLoader

from mmtranspose.errors import Preempted

# Slurm sends SIGTERM before it kills a job (SIGUSR1 by --signal=USR1@120); spot machines send SIGTERM.
SIGNALS = tuple(getattr(signal, name) for name in ('SIGTERM', 'SIGUSR1') if hasattr(signal, name))  # not on Windows


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
def preempted_by_signals() -> Iterator[None]:
    """Let SIGTERM and SIGUSR1 end the process with status 75 where no training notes them; then restore the handlers.

    Before the first step there is nothing to save, and a training that has ended is saved.
    """
    received = False

    def end(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  Python's arguments
        nonlocal received
        received = True
        raise Preempted

    before = {number: signal.signal(number, end) for number in SIGNALS}
    try:
        yield
    except Exception:
        if received:  # mmengine makes a SyntaxError of whatever comes while it lays out a config
            raise Preempted from None
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def spare_workers(loader: DataLoader) -> None:
    """Let the workers that a data loader starts from now on ignore SIGTERM and SIGUSR1 of others than this process.

    Slurm signals every process of a job. A worker that ended at once would take the training with it before the
    checkpoint is written. At its end Python terminates the workers that are left and waits for them; they obey.
    (Without effect on macOS and Windows, which do not tell who sent a signal.)
    """
    if hasattr(signal, 'sigwaitinfo'):
        loader.worker_init_fn = partial(_spared, loader.worker_init_fn)


def _spared(initialise: Callable[[int], None] | None, worker: int) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    threading.Thread(target=_obey_parent, daemon=True).start()
    if initialise is not None:
        initialise(worker)


def _obey_parent() -> None:
    while signal.sigwaitinfo(SIGNALS).si_pid != os.getppid():
        pass
    os._exit(0)


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
