"""The process of a candidate: its answers, its failures, and the peak of its memory."""

import re
import signal
import time
import warnings
from unittest.mock import MagicMock

import pytest
import torch
from memory_task import build_memory

from mmtranspose.benchmark.candidate import Candidate, Task
from mmtranspose.benchmark.matmul_peak import fastest
from mmtranspose.benchmark.peak_memory import PeakMemory
from mmtranspose.benchmark.worker import Failure, Worker, serve
from mmtranspose.errors import InputError


def test_a_process_runs_at_command_and_its_death_has_a_name():
    candidate = Candidate('ours fp32', build_memory, dict(mib=64, calls=2, end='killed'), keep_memory=False)
    with Worker(candidate, threads=2) as worker:
        assert worker.outputs == dict(number=1, threads=2)
        assert 0 < worker.run() < 60 and 0 < worker.first_seconds < 60
        assert 60 < worker.peak_mib() < 120
        with pytest.raises(InputError, match=r'ours fp32: .* killed .* memory ran out; use a smaller --batch-size'):
            worker.run()
        process = worker._process
    assert not process.is_alive()


class Lines:
    """A connection on which commands wait; it closes after the last one."""

    def __init__(self, *commands):
        self.commands, self.sent, self.send = iter(commands), [], lambda answer: self.sent.append(answer)

    def recv(self):
        return next(self.commands, None) or self._closed()

    def _closed(self):
        raise EOFError


@pytest.fixture
def here(monkeypatch):
    """``serve`` in this process, which stays as it is."""
    monkeypatch.setattr(signal, 'signal', lambda *arguments: None)
    monkeypatch.setattr('mmtranspose.benchmark.worker.MMLogger', MagicMock())
    kept = MagicMock()
    monkeypatch.setattr('mmtranspose.benchmark.worker.keep_memory', kept)
    return kept


@pytest.mark.parametrize('keep', [True, False])
def test_serving(here, keep):
    lines = Lines('run', 'peak', 'parts', 'run')
    serve(lines, Candidate('taker', build_memory, dict(mib=1, calls=3, end='fails'), keep_memory=keep), 1)
    (first, outputs), run, peak, parts, again = lines.sent
    assert outputs == dict(number=1, threads=1) and all(value > 0 for value in (first, run, peak, again))
    assert parts == {}
    assert here.apply.called == keep


@pytest.mark.parametrize('starts', [True, False])
def test_only_processes_that_start_none_are_daemons(monkeypatch, starts):
    context = MagicMock()
    context.Pipe.return_value = MagicMock(recv=lambda: (1.0, {})), MagicMock()
    monkeypatch.setattr('multiprocessing.get_context', lambda method: context)
    Worker(Candidate('loader', None, starts_processes=starts))
    assert context.Process.call_args.kwargs['daemon'] is not starts


@pytest.mark.parametrize('returns', [True, False])
def test_freed_memory_is_returned_where_peaks_are_compared(here, monkeypatch, returns):
    done = []
    monkeypatch.setattr('mmtranspose.benchmark.worker.map_large_blocks', lambda: done.append('limit'))
    build = MagicMock(side_effect=lambda: done.append('build') or Task(lambda: 0, lambda result: {}))
    serve(Lines(), Candidate('taker', build, keep_memory=False), 1, returns)
    assert done == ['limit', 'build'][not returns :]


def test_an_error_in_a_process(here):
    lines = Lines('run')
    serve(lines, Candidate('taker', build_memory, dict(mib=1, calls=1, end='fails')), 1)
    assert lines.sent[-1].mistake is None and 'IndexError: no call is left' in lines.sent[-1].details


@pytest.mark.parametrize(
    ('error', 'words'),
    [
        (InputError('checkpoint x.pth does not exist'), 'checkpoint x.pth does not exist'),
        (
            torch.OutOfMemoryError('CUDA out of memory.'),
            'memory ran out; use a smaller --batch-size .CUDA out of memory',
        ),
    ],
)
def test_a_mistake_in_a_process(here, error, words):
    lines = Lines()
    serve(lines, Candidate('taker', MagicMock(side_effect=error)), 1)
    assert re.match(words, lines.sent[0].mistake)


def falling_back(warning):
    """A candidate that warns once, at its first call, and then runs something else."""

    def run():
        warnings.warn(warning, stacklevel=2)
        return 0

    return Candidate('openvino bf16', MagicMock(return_value=Task(run, lambda result: {})))


@pytest.mark.parametrize(
    ('warning', 'taken'),
    [
        ('OpenVINO cannot run the network, which runs in PyTorch: RuntimeError: no such operator', False),
        ('the accelerated network cannot be compiled and runs uncompiled: no compiler', False),
        ('this cpu has no native bf16: the network runs in fp32', False),
        ('The metainfo config file is old', True),
    ],
)
def test_what_runs_is_what_the_name_says(here, warning, taken):
    lines = Lines()
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        serve(lines, falling_back(warning), 1)
    (answer,) = lines.sent
    assert isinstance(answer, Failure) is not taken
    assert taken or answer.mistake == f'{warning}: this is not what the name says; leave the candidate out'


@pytest.mark.parametrize(
    ('answer', 'kind', 'words'),
    [
        (Failure('no such file', ''), InputError, 'ours: no such file'),
        (Failure(None, 'Traceback ...'), RuntimeError, 'ours failed in its process:\nTraceback ...'),
    ],
)
def test_answers_become_errors(answer, kind, words):
    worker = Worker.__new__(Worker)
    worker.name, worker._connection = 'ours', MagicMock(recv=lambda: answer)
    with pytest.raises(kind, match=words):
        worker.run()


def test_peak_memory():
    memory = PeakMemory('cpu')
    assert 0 <= memory.mib < 10
    torch.ones(2**25).sum()
    assert 120 < memory.mib < 150


def test_fastest_product(monkeypatch):
    """FLOP/s are 2 n^3 by the shortest time of the size where that is greatest."""
    clock = iter([0, 8, 10, 14, 20, 30, 40, 50, 60, 70, *range(100, 110)])  # sizes 100: at best 4; 200: 1
    monkeypatch.setattr(time, 'perf_counter', lambda: next(clock))
    monkeypatch.setattr('mmtranspose.benchmark.matmul_peak.PATIENCE', 100)
    assert fastest(torch.float32, 'cpu', (100, 200)) == 2 * 200**3
