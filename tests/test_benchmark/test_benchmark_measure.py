"""How candidates are measured: statistics, order, comparison before timing."""

import itertools
from typing import ClassVar

import numpy as np
import pytest

from mmtranspose.benchmark import measurement as measuring
from mmtranspose.benchmark.candidate import Candidate, Tolerance
from mmtranspose.benchmark.figures import ratio, spread
from mmtranspose.benchmark.measurement import compare, measure


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
    candidate = Candidate('b', None, tolerances=dict(heatmaps=Tolerance(0.1)))

    def test_the_first_is_the_reference(self):
        references = {}
        assert compare(Candidate('a', None), dict(heatmaps=np.ones(2)), references) == {}
        assert compare(self.candidate, dict(heatmaps=np.full(2, 1.0625)), references) == dict(heatmaps=0.0625)
        assert references['heatmaps'].tolist() == [1, 1]

    @pytest.mark.parametrize('value', [1.2, np.nan, np.inf])
    def test_disagreement(self, value):
        with pytest.raises(RuntimeError, match=r'b: heatmaps differs .* by .*; 0.1 is allowed: nothing was timed'):
            compare(self.candidate, dict(heatmaps=np.full(2, value)), dict(heatmaps=np.ones(2)))

    def test_a_reference_of_nan(self):
        with pytest.raises(RuntimeError, match='a: heatmaps is not finite'):
            compare(Candidate('a', None), dict(heatmaps=np.array([np.nan])), {})


class FakeWorker:
    """Takes the next number of ``candidate.arguments`` as its time; the peaks are 7, 8, ... MiB, one after another."""

    calls: ClassVar = []
    peaks = itertools.count(7)

    def __init__(self, candidate, threads, returns_memory=False):
        self.name, self.times, self.done = candidate.name, iter(candidate.arguments['times']), []
        self.outputs, self.first_seconds = dict(value=np.array(candidate.arguments['value'])), 100.0
        self.calls.append(f'build {self.name}{"" if candidate.keep_memory else ", freeing memory"}')
        assert not (candidate.keep_memory and returns_memory)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.calls.append(f'close {self.name}')

    def run(self):
        self.calls.append(self.name)
        self.done.append(next(self.times))
        return self.done[-1]

    def peak_mib(self):
        return float(next(self.peaks))

    def parts(self):
        return dict(half=[50.0] + [seconds / 2 for seconds in self.done])


def fake_candidates(*values):
    tolerances = dict(value=Tolerance(0.1))
    return [
        Candidate(name, None, dict(value=value, times=[10 * index + n for n in range(5)]), tolerances=tolerances)
        for index, (name, value) in enumerate(zip('abc', values))
    ]


class TestMeasure:
    @pytest.fixture(autouse=True)
    def faked(self, monkeypatch):
        monkeypatch.setattr(measuring, 'Worker', FakeWorker)
        monkeypatch.setattr(FakeWorker, 'calls', [])
        monkeypatch.setattr(FakeWorker, 'peaks', itertools.count(7))

    def test_in_turn_and_after_warming_up(self, capsys):
        found = measure(fake_candidates(1, 1.0625, 1), repeats=2, warmup=1, title='forward')
        builds, closes = [f'build {name}' for name in 'abc'], [f'close {name}' for name in 'cba']
        assert FakeWorker.calls == [*builds, *'abcabcabc', *closes]
        assert [one.seconds for one in found.values()] == [[1, 2], [11, 12], [21, 22]]
        assert [one.parts for one in found.values()] == [dict(half=[0.5, 1])] + [
            dict(half=[n, n + 0.5]) for n in (5.5, 10.5)
        ]
        assert found['b'].differences == dict(value=0.0625)
        assert found['c'].peak_mib == 9 and found['c'].first_seconds == 100
        output = capsys.readouterr()
        assert 'forward' in output.err and '12/12' in output.err and not output.out

    def test_peaks_of_further_processes(self, capsys):
        found = measure(fake_candidates(1, 1), repeats=1, warmup=0, peak_processes=3)
        timed = ['build a', 'build b', 'a', 'b', 'close b', 'close a']
        assert FakeWorker.calls[: len(timed)] == timed
        assert FakeWorker.calls[len(timed) :: 2] == [*3 * ['build a, freeing memory'], *3 * ['build b, freeing memory']]
        assert [one.peak_mib for one in found.values()] == [10, 13]  # medians of 9 to 11 and of 12 to 14
        assert '10/10' in capsys.readouterr().err

    def test_disagreement_stops_before_timing(self):
        with pytest.raises(RuntimeError, match='b: value differs'):
            measure(fake_candidates(1, 1.5, 1), repeats=2)
        assert FakeWorker.calls == ['build a', 'build b', 'close b', 'close a']
