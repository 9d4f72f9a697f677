"""How ways are measured: statistics, order, comparison before timing, processes and their failures."""

import os
import re
import signal
import time
from unittest.mock import MagicMock

import numpy as np
import pytest
import torch

from mmtranspose.apis import InputError
from mmtranspose.benchmark import measurement as measuring
from mmtranspose.benchmark.arithmetic import fastest
from mmtranspose.benchmark.candidate import Task, Tolerance, Way
from mmtranspose.benchmark.figures import aligned, ratio, spread
from mmtranspose.benchmark.measurement import compare, measure
from mmtranspose.benchmark.worker import Failure, PeakMemory, Worker, serve


def test_spread():
    assert spread([10.0, 1.0, 3.0, 4.0, 2.0]) == (3.0, 2.0, 4.0, 1.0, 10.0)
    assert spread([1.0, 2.0]) == (1.5, 1.25, 1.75, 1.0, 2.0)
    assert spread([7.0]) == (7.0,) * 5


def test_ratio():
    """Medians 12 and 2; the rounds' ratios are 5, 4 and 7."""
    assert ratio([10, 12, 14], [2, 3, 2]) == (6.0, 4.5, 6.0)


def test_difference():
    reference, found = np.array([1.0, -4.0, 2.0]), np.array([1.5, -4.0, 2.0])
    assert Tolerance(1).difference(reference, found) == 0.5
    assert Tolerance(1, relative=True).difference(reference, found) == 0.125
    assert Tolerance(1, quantile=0.5).difference(reference, found) == 0
    assert Tolerance(1, relative=True).difference(np.zeros(2), np.array([0.0, 0.25])) == 0.25
    assert np.isnan(Tolerance(1).difference(reference, np.array([1.5, np.nan, 2.0])))
    assert np.isnan(Tolerance(1).difference(reference, found[:1]))


class TestCompare:
    way = Way('b', None, tolerances=dict(heatmaps=Tolerance(0.1)))

    def test_the_first_is_the_reference(self):
        references = {}
        assert compare(Way('a', None), dict(heatmaps=np.ones(2)), references) == {}
        assert compare(self.way, dict(heatmaps=np.full(2, 1.0625)), references) == dict(heatmaps=0.0625)
        assert references['heatmaps'].tolist() == [1, 1]

    @pytest.mark.parametrize('value', [1.2, np.nan, np.inf])
    def test_disagreement(self, value):
        with pytest.raises(RuntimeError, match=r'b: heatmaps differs .* by .*; 0.1 is allowed: nothing was timed'):
            compare(self.way, dict(heatmaps=np.full(2, value)), dict(heatmaps=np.ones(2)))

    def test_a_reference_of_nan(self):
        with pytest.raises(RuntimeError, match='a: heatmaps is not finite'):
            compare(Way('a', None), dict(heatmaps=np.array([np.nan])), {})


class FakeWorker:
    """Takes the next number of ``way.arguments`` as its time."""

    calls = []

    def __init__(self, way, threads):
        self.name, self.times = way.name, iter(way.arguments['times'])
        self.outputs, self.first_seconds = dict(value=np.array(way.arguments['value'])), 100.0
        self.calls.append(f'build {self.name}')

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.calls.append(f'close {self.name}')

    def run(self):
        self.calls.append(self.name)
        return next(self.times)

    def peak_mib(self):
        return 7.0


def fake_ways(*values):
    tolerances = dict(value=Tolerance(0.1))
    return [
        Way(name, None, dict(value=value, times=[10 * index + n for n in range(5)]), tolerances=tolerances)
        for index, (name, value) in enumerate(zip('abc', values))
    ]


class TestMeasure:
    @pytest.fixture(autouse=True)
    def faked(self, monkeypatch):
        monkeypatch.setattr(measuring, 'Worker', FakeWorker)
        monkeypatch.setattr(FakeWorker, 'calls', [])

    def test_in_turn_and_after_warming_up(self, capsys):
        found = measure(fake_ways(1, 1.0625, 1), repeats=2, warmup=1, title='forward')
        builds, closes = [f'build {name}' for name in 'abc'], [f'close {name}' for name in 'cba']
        assert FakeWorker.calls == [*builds, *'abcabcabc', *closes]
        assert [one.seconds for one in found.values()] == [[1, 2], [11, 12], [21, 22]]
        assert found['b'].differences == dict(value=0.0625)
        assert found['c'].peak_mib == 7 and found['c'].first_seconds == 100
        output = capsys.readouterr()
        assert 'forward' in output.err and '12/12' in output.err and not output.out

    def test_disagreement_stops_before_timing(self):
        with pytest.raises(RuntimeError, match='b: value differs'):
            measure(fake_ways(1, 1.5, 1), repeats=2)
        assert FakeWorker.calls == ['build a', 'build b', 'close b', 'close a']


def build_memory(mib: int, calls: int, end: str) -> Task:
    """Takes so much memory in each call for a moment; the call after the last one fails, or kills the process."""
    numbers = iter(range(1, calls + 1))
    ballast = torch.ones(2**26)  # 256 MiB while it is built, which must not hide what a call takes
    del ballast

    def run() -> int:
        torch.ones(mib * 2**18).sum()
        number = next(numbers, None)
        if number is None and end == 'killed':
            os.kill(os.getpid(), signal.SIGKILL)
        if number is None:
            raise IndexError('no call is left')
        return number

    return Task(run, lambda number: dict(number=np.array(number), threads=np.array(torch.get_num_threads())))


def test_a_process_runs_at_command_and_its_death_has_a_name():
    way = Way('ours fp32', build_memory, dict(mib=64, calls=2, end='killed'), keep_memory=False)
    with Worker(way, threads=2) as worker:
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
    lines = Lines('run', 'peak', 'run')
    serve(lines, Way('taker', build_memory, dict(mib=1, calls=3, end='fails'), keep_memory=keep), 1)
    (first, outputs), *rest = lines.sent
    assert outputs == dict(number=1, threads=1) and len(rest) == 3 and all(value > 0 for value in (first, *rest))
    assert here.apply.called == keep


def test_an_error_in_a_process(here):
    lines = Lines('run')
    serve(lines, Way('taker', build_memory, dict(mib=1, calls=1, end='fails')), 1)
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
    serve(lines, Way('taker', MagicMock(side_effect=error)), 1)
    assert re.match(words, lines.sent[0].mistake)


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
    monkeypatch.setattr('mmtranspose.benchmark.arithmetic.PATIENCE', 100)
    assert fastest(torch.float32, 'cpu', (100, 200)) == 2 * 200**3


def test_table():
    assert aligned([('way', 'ms'), ('baseline', '1.0')]) == ['way        ms', 'baseline  1.0']
