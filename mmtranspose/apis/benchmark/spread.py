"""Medians, their spread, and ratios."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Spread(NamedTuple):
    """Of some measurements: the median, the first and third quartile, the least and the greatest."""

    median: float
    quartile_1: float
    quartile_3: float
    least: float
    greatest: float


class Ratio(NamedTuple):
    """Of two series measured in the same rounds: ratio of the medians, quartiles of the rounds' ratios."""

    of_medians: float
    quartile_1: float
    quartile_3: float


def spread(values: Sequence[float]) -> Spread:
    """Median, quartiles (linear between neighbours) and range of at least one value."""
    low, quartile_1, median, quartile_3, high = np.quantile(values, [0, 0.25, 0.5, 0.75, 1]).tolist()
    return Spread(median, quartile_1, quartile_3, low, high)


def ratio(numerator: Sequence[float], denominator: Sequence[float]) -> Ratio:
    """Ratio of two series of equal length, entry i of both from round i."""
    rounds = np.asarray(numerator, float) / np.asarray(denominator, float)
    quartiles = np.quantile(rounds, [0.25, 0.75]).tolist()
    return Ratio(float(np.median(numerator) / np.median(denominator)), *quartiles)
