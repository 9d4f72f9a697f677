"""Bootstrap intervals against normal theory."""

import math
import tracemalloc

import numpy as np
import pytest
import torch

from mmtranspose.errors import InputError
from mmtranspose.explain.metrics import ResampledMeans, ResampledSums, bootstrap, mean_interval


@pytest.mark.parametrize(('confidence', 'quantile'), [(0.95, 1.960), (0.8, 1.2816)])
def test_against_normal_theory(confidence, quantile):
    values = np.random.default_rng(0).normal(2, 3, 500)
    interval = mean_interval(values, confidence, resamples=5000)
    half = quantile * values.std() / math.sqrt(500)
    assert interval.mean == pytest.approx(values.mean()) and interval.n == 500
    assert interval.low == pytest.approx(values.mean() - half, abs=0.06 * half)
    assert interval.high == pytest.approx(values.mean() + half, abs=0.06 * half)


def test_interval_covers_the_truth_as_often_as_it_says():
    draws = np.random.default_rng(1).normal(size=(200, 40, 3))
    intervals = [mean_interval(people, 0.9, resamples=300) for people in draws]
    assert 0.83 <= np.mean([i.low <= 0 <= i.high for i in intervals]) <= 0.96


def test_keypoints_of_a_person_do_not_count_as_people():
    values = np.random.default_rng(2).normal(size=(60, 1))
    once, often = mean_interval(values), mean_interval(np.repeat(values, 17, axis=1))
    assert often == pytest.approx(once)
    assert mean_interval(values.repeat(17)).low > once.low  # what would be got if they did


def test_nan_is_left_out():
    values = torch.tensor([[1.0, math.nan, 3.0], [math.nan] * 3, [8.0, math.nan, math.nan], [math.nan, 4.0, 4.0]])
    interval = mean_interval(values)
    assert interval.mean == 20 / 5 and interval.n == 3  # of values, not of people's means
    assert 2 <= interval.low < 4 < interval.high <= 8


def test_seeds():
    values = np.random.default_rng(3).normal(size=(30, 2))
    assert mean_interval(values, seed=1) == mean_interval(values, seed=1) != mean_interval(values, seed=2)


@pytest.mark.parametrize(
    ('values', 'mean', 'n'), [([[1.0, 3.0]], 2, 1), ([[math.nan]], math.nan, 0), ([], math.nan, 0)]
)
def test_too_few_for_an_interval(values, mean, n):
    interval = mean_interval(np.array(values))
    assert interval.mean == pytest.approx(mean, nan_ok=True) and interval.n == n
    assert math.isnan(interval.low) and math.isnan(interval.high)


@pytest.mark.parametrize(
    'arguments', [dict(confidence=95), dict(resamples=0), dict(values=np.array([1.0, np.inf]))], ids=str
)
def test_mistakes(arguments):
    with pytest.raises(InputError, match='confidence=95|resamples=0|infinity'):
        mean_interval(**(dict(values=np.arange(4.0)) | arguments))


def by_definition(values, seed):
    """Ends of the interval from a matrix of all people's counts, as floats."""
    people = len(values)
    drawn = np.random.default_rng(seed).multinomial(people, np.full(people, 1 / people), size=2000).astype(float)
    known = np.isfinite(values)
    return np.quantile(drawn @ np.nansum(values, 1) / (drawn @ known.sum(1)), [0.025, 0.975])


@pytest.mark.parametrize('block', [7, 40, 3000])
def test_people_given_block_by_block(monkeypatch, block):
    """Neither the blocks of people nor those in which resamples are drawn change who is drawn."""
    values = np.random.default_rng(4).exponential(size=(41, 5))
    values[3:9, 2] = np.nan
    expected = by_definition(values, seed=9)
    monkeypatch.setattr(bootstrap, 'BLOCK_ELEMENTS', block * 40)
    bootstrap._drawn.cache_clear()
    whole = mean_interval(values, seed=9)
    means = ResampledMeans(41, seed=9)
    for start in range(0, 41, 6):
        means.add(values[start : start + 6], over=(1,))
    bootstrap._drawn.cache_clear()
    found = means.intervals()
    np.testing.assert_allclose([whole.low, whole.high], expected, rtol=1e-12)
    np.testing.assert_allclose([found.low, found.high], expected, rtol=1e-12)
    assert found.mean == pytest.approx(np.nanmean(values)) and found.n == 41


def test_people_are_counted_in_bytes():
    bootstrap._drawn.cache_clear()
    tracemalloc.start()
    sums = ResampledSums(6000, resamples=200)
    sums.add(np.ones((6000, 1)))
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    bootstrap._drawn.cache_clear()
    assert sums.complete and (sums.resampled == 6000).all()  # every resample has as many people
    assert held < 1.1 * 200 * 6000 and peak < 200 * 6000 * 20


def test_missing_people_are_noticed():
    means = ResampledMeans(3)
    means.add(np.ones((2, 1)), over=(1,))
    with pytest.raises(AssertionError, match='people are missing'):
        means.intervals()
