"""Confidence intervals of means over people, by the bootstrap; people can be given block by block."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from torch import Tensor

from mmtranspose.errors import InputError, require_at_least

BLOCK_ELEMENTS = 2**22  # resamples x columns, or resamples x people, held at a time as floats


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
    counts, sums = _counts_and_sums(values, over)
    shape, columns = sums.shape[1:], math.prod(sums.shape[1:])
    counts, sums = (part.reshape(len(sums), columns) for part in (counts, sums))
    width = max(1, BLOCK_ELEMENTS // max(1, resamples))
    blocks = []
    for start in range(0, max(columns, 1), width):
        means = ResampledMeans(len(sums), resamples, seed)
        means.add_sums(sums[:, start : start + width], counts[:, start : start + width])
        blocks.append(means.intervals(confidence))
    return MeanInterval(*(np.concatenate(parts).reshape(shape) for parts in zip(*blocks)))


class ResampledSums:
    """Sum people's values over the dataset and over each bootstrap resample of it, one block of people at a time.

    The same people are drawn for every column, and by every object with the same arguments.

    Args:
        people (int): Number of people of the whole dataset.
        resamples (int): Number of resamples.
        seed (int): Of the resamples.

    Attributes:
        observed (np.ndarray): (columns,), sums over the people so far.
        resampled (np.ndarray): (resamples, columns), sums over the people so far, as often as each was drawn.

    Raises:
        InputError: ``resamples`` is below 1.
    """

    def __init__(self, people: int, resamples: int = 2000, seed: int = 0):
        self._drawn = _drawn(people, resamples, seed)
        self._seen = 0
        self.observed: np.ndarray = np.zeros(0)
        self.resampled: np.ndarray = np.zeros((resamples, 0))

    def add(self, values: np.ndarray) -> None:
        """Add the values (n, columns), without NaN, of the next n people."""
        values = np.asarray(values, np.float64)
        if not self.observed.size:
            self.observed = np.zeros(values.shape[1])
            self.resampled = np.zeros((len(self._drawn), values.shape[1]))
        self.observed += values.sum(0)
        people = max(1, BLOCK_ELEMENTS // len(self._drawn))
        for start in range(0, len(values), people):
            block = values[start : start + people]
            drawn = self._drawn[:, self._seen : self._seen + len(block)]
            self.resampled += drawn.astype(np.float64) @ block
            self._seen += len(block)

    @property
    def complete(self) -> bool:
        """Whether the values of all people were added."""
        return self._seen == self._drawn.shape[1]


class ResampledMeans:
    """Means over people as :func:`mean_intervals` computes them, given one block of people at a time.

    What is held does not grow with the number of people, except the resamples' counts, a byte each.

    Args:
        people, resamples, seed: As of :class:`ResampledSums`.
    """

    def __init__(self, people: int, resamples: int = 2000, seed: int = 0):
        self._sums, self._counts = (ResampledSums(people, resamples, seed) for _ in range(2))
        self._n: np.ndarray | int = 0
        self._shape: tuple[int, ...] = ()

    def add(self, values: np.ndarray | Tensor, over: Sequence[int] = ()) -> None:
        """Add the values (n, ...) of the next n people; otherwise as :func:`mean_intervals`.

        Raises:
            InputError: A value is infinite.
        """
        self.add_sums(*reversed(_counts_and_sums(values, over)))

    def add_sums(self, sums: np.ndarray, counts: np.ndarray) -> None:
        """Add the next n people's sums (n, ...) of values, and the numbers of values in these sums."""
        self._shape = sums.shape[1:]
        sums, counts = (part.reshape(len(part), math.prod(self._shape)) for part in (sums, counts))
        self._sums.add(sums)
        self._counts.add(counts)
        self._n = self._n + (counts > 0).sum(0)

    def intervals(self, confidence: float = 0.95) -> MeanInterval:
        """The means and intervals once all people were added: arrays of the kept axes.

        Raises:
            InputError: ``confidence`` is out of range.
        """
        if not 0 < confidence < 1:
            raise InputError(f'confidence={confidence} must lie between 0 and 1, such as 0.95')
        assert self._sums.complete, 'people are missing'
        n = np.asarray(self._n)
        enough = n >= 2
        ends = np.full((2, len(n)), np.nan)
        resampled = _ratio(self._sums.resampled[:, enough], self._counts.resampled[:, enough])
        ends[:, enough] = interval_ends(resampled, confidence)
        means = _ratio(self._sums.observed, self._counts.observed)
        return MeanInterval(*(part.reshape(self._shape) for part in (means, *ends, n)))


def interval_ends(resampled: np.ndarray, confidence: float = 0.95) -> np.ndarray:
    """Give the ends (2, ...) of the percentile interval of a statistic's values in the resamples (resamples, ...)."""
    return np.nanquantile(resampled, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)


@lru_cache(maxsize=2)
def _drawn(people: int, resamples: int, seed: int) -> np.ndarray:
    """How often each person occurs in each resample, (resamples, people), uint8.

    Nobody is drawn more than 255 times: among more people the probability of that is below 1e-500.

    Raises:
        InputError: ``resamples`` is below 1.
    """
    require_at_least('resamples', resamples, 1)
    drawn = np.zeros((resamples, people), np.uint8)
    generator, shares = np.random.default_rng(seed), np.full(people, 1 / max(people, 1))
    rows = max(1, BLOCK_ELEMENTS // max(people, 1))
    for start in range(0, resamples if people else 0, rows):
        size = min(rows, resamples - start)
        drawn[start : start + size] = generator.multinomial(people, shares, size=size)
    drawn.flags.writeable = False
    return drawn


def forget_resamples() -> None:
    """Free the counts of the last resamples, 2 KB for each person, which are kept to draw the same people again."""
    _drawn.cache_clear()


def _counts_and_sums(values: np.ndarray | Tensor, over: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Numbers and sums of each person's values over some axes; NaN is left out."""
    values = _array(values)
    if np.isinf(values).any():
        raise InputError('values hold infinity, which has no mean: find out where it comes from')
    return (~np.isnan(values)).sum(tuple(over)), np.nansum(values, tuple(over))


def _array(values: np.ndarray | Tensor) -> np.ndarray:
    return np.asarray(values.detach().cpu() if isinstance(values, Tensor) else values, dtype=np.float64)


def _ratio(sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
    return np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
