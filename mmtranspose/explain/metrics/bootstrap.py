"""Confidence intervals of means over people, by the bootstrap."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from torch import Tensor

from mmtranspose.errors import InputError, require_at_least

BLOCK_ELEMENTS = 2**22  # resamples x columns held at a time


class MeanInterval(NamedTuple):
    """A mean with its two-sided confidence interval [low, high], computed from ``n`` people.

    The fields are numbers, or arrays of one shape.
    """

    mean: float | np.ndarray
    low: float | np.ndarray
    high: float | np.ndarray
    n: int | np.ndarray


def mean_interval(
    values: np.ndarray | Tensor, confidence: float = 0.95, resamples: int = 2000, seed: int = 0
) -> MeanInterval:
    """Compute the mean of all values (people, ...) with its interval; otherwise as :func:`mean_intervals`."""
    values = _array(values)
    mean, low, high, n = mean_intervals(values, tuple(range(1, values.ndim)), confidence, resamples, seed)
    return MeanInterval(float(mean), float(low), float(high), int(n))


def mean_intervals(
    values: np.ndarray | Tensor,
    over: Sequence[int] = (),
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> MeanInterval:
    """Compute means over people, each with a two-sided percentile interval from a bootstrap over people.

    Keypoints of one person are not independent, so whole people are drawn (a cluster bootstrap): each resample's mean
    is the sum of the drawn people's values divided by the number of these values. Efron and Tibshirani, "An
    Introduction to the Bootstrap", 1993, chapter 13. The same people are drawn for every mean.

    Args:
        values (np.ndarray | Tensor): (people, ...). NaN is left out.
        over (Sequence[int]): Axes besides the first that are averaged too, such as a person's keypoints; the other axes
            are kept.
        confidence (float): Between 0 and 1, both excluded.
        resamples (int): Number of resamples.
        seed (int): Of the resamples.

    Returns:
        MeanInterval: Arrays of the kept axes. The mean is NaN where there is no value, the interval where fewer than
        two people have a value.

    Raises:
        InputError: ``confidence`` or ``resamples`` is out of range, or a value is infinite.
    """
    if not 0 < confidence < 1:
        raise InputError(f'confidence={confidence} must lie between 0 and 1, such as 0.95')
    values = _array(values)
    if np.isinf(values).any():
        raise InputError('values hold infinity, which has no mean: find out where it comes from')
    axes = tuple(over)
    counts, sums = (~np.isnan(values)).sum(axes), np.nansum(values, axes)
    shape = sums.shape[1:]
    counts, sums = (part.reshape(len(values), math.prod(shape)) for part in (counts, sums))
    n = (counts > 0).sum(0)
    drawn = resample_counts(len(values), resamples, seed)
    quantiles = [(1 - confidence) / 2, (1 + confidence) / 2]
    ends = np.full((2, counts.shape[1]), np.nan)
    width = max(1, BLOCK_ELEMENTS // resamples)
    for start in range(0, counts.shape[1], width):
        block = slice(start, start + width)
        means = _ratio(drawn @ sums[:, block], drawn @ counts[:, block])
        enough = n[block] >= 2
        ends[:, block][:, enough] = np.nanquantile(means[:, enough], quantiles, axis=0)
    means = _ratio(sums.sum(0), counts.sum(0))
    return MeanInterval(*(part.reshape(shape) for part in (means, *ends, n)))


@lru_cache(maxsize=2)
def resample_counts(people: int, resamples: int = 2000, seed: int = 0) -> np.ndarray:
    """Draw bootstrap resamples: how often each person occurs in each resample, (resamples, people), float64.

    Raises:
        InputError: ``resamples`` is below 1.
    """
    require_at_least('resamples', resamples, 1)
    if not people:
        return np.zeros((resamples, 0))
    shares = np.full(people, 1 / people)
    return np.random.default_rng(seed).multinomial(people, shares, size=resamples).astype(np.float64)


def _array(values: np.ndarray | Tensor) -> np.ndarray:
    return np.asarray(values.detach().cpu() if isinstance(values, Tensor) else values, dtype=np.float64)


def _ratio(sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
    return np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
