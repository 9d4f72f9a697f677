"""Signals that ask a job to end: noted while it trains, obeyed before and after, ignored by workers of loaders."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import threading
import time

import pytest
from torch.utils.data import DataLoader

from mmtranspose.engine.preemption import (
    SIGNALS,
    Agreement,
    PreemptionSignals,
    preempted_by_signals,
    spare_workers,
)
from mmtranspose.errors import PREEMPTED, Preempted


def handlers():
    return [signal.getsignal(number) for number in SIGNALS]


def send(number: int, pid: int | None = None) -> None:
    """Send a signal from another process."""
    subprocess.run(['kill', f'-{number}', str(pid or os.getpid())], check=True)
    if pid is None:
        time.sleep(0.01)  # Python runs the handler here, at the latest


@pytest.mark.parametrize('number', SIGNALS)
def test_signals_are_noted_and_handlers_restored(number):
    before, signals = handlers(), PreemptionSignals()
    signals.install()
    assert not signals.received
    for _ in range(2):
        send(number)
        assert signals.received
    signals.install()  # a second training of this process
    assert not signals.received
    signals.restore()
    assert handlers() == before


def test_nothing_is_installed_in_another_thread():
    before, signals = handlers(), PreemptionSignals()
    thread = threading.Thread(target=signals.install)
    thread.start()
    thread.join()
    assert handlers() == before
    signals.restore()
    assert handlers() == before


@pytest.mark.parametrize('number', SIGNALS)
def test_outside_of_training_a_signal_ends_the_process(number):
    before = handlers()
    with pytest.raises(Preempted) as end, preempted_by_signals():
        send(number)
    assert end.value.code == PREEMPTED == 75
    assert handlers() == before


def test_a_signal_counts_where_something_makes_an_error_of_it():
    def lay_out():
        try:
            send(signal.SIGTERM)
        except BaseException:
            raise SyntaxError('as mmengine does') from None

    with pytest.raises(Preempted), preempted_by_signals():
        lay_out()


def test_other_errors_stay():
    before = handlers()
    with pytest.raises(KeyError, match='mine'), preempted_by_signals():
        raise KeyError('mine')
    assert handlers() == before


def test_a_training_gives_back_these_handlers():
    with preempted_by_signals():
        before, signals = handlers(), PreemptionSignals()
        signals.install()
        send(signal.SIGTERM)
        signals.restore()
        assert handlers() == before


def started(worker: int) -> None:
    os.environ['STARTED'] = str(worker)


class Pids:
    """A dataset that tells which process loads it, and whether that was initialised."""

    def __len__(self):
        return 8

    def __getitem__(self, index):
        time.sleep(0.02)
        return os.getpid(), os.environ.get('STARTED', '')


@pytest.mark.parametrize('initialise', [started, None])
def test_workers_ignore_signals_of_others_and_obey_their_parent(initialise):
    loader = DataLoader(Pids(), num_workers=1, batch_size=None, persistent_workers=True, worker_init_fn=initialise)
    spare_workers(loader)
    samples = iter(loader)
    worker, name = next(samples)
    assert (worker != os.getpid(), name) == (True, '0' if initialise else '')
    for number in SIGNALS * 2:
        send(number, worker)
    assert [next(samples)[0] for _ in range(7)] == [worker] * 7
    (process,) = (child for child in multiprocessing.active_children() if child.pid == worker)
    process.terminate()  # as Python does at its end, which then waits
    process.join(5)
    status = process.exitcode
    process.kill()
    assert status == 0


def test_one_process_hears_at_once():
    agreement = Agreement()
    assert agreement(True, False) == agreement.now(True, False) == [True, False]
    assert agreement.wait() is None
