"""Bootstrap intervals against normal theory."""

import math

import numpy as np
import pytest
import torch

from mmtranspose.errors import InputError
from mmtranspose.explain.metrics import mean_interval


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
