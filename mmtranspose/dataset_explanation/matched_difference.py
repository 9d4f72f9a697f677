"""Compare a quantity of keypoints in two states, such as visible and occluded, each keypoint with itself."""

from __future__ import annotations

import numpy as np

from mmtranspose.explain.metrics import MeanInterval, ResampledSums, interval_ends


def matched_difference(
    baseline: np.ndarray, candidate: np.ndarray, confidence: float = 0.95, seed: int = 0
) -> MeanInterval:
    """Compute how much higher a quantity is where a keypoint is in one state than where it is in another.

    Keypoints that are often in the one state differ from others anyway, such as ears, which are often occluded;
    comparing each with itself leaves that out.

    Args:
        baseline (np.ndarray): (people, K), NaN where the keypoint is not in the state to compare with: visible, good.
        candidate (np.ndarray): (people, K), NaN where it is not in the state that is compared: occluded, wrong.
        confidence (float): Of the interval.
        seed (int): Seed of the resamples.

    Returns:
        MeanInterval: Differences of the keypoints' means, weighted by their numbers of candidates, among keypoints
        that have both; ``n`` counts people with such a candidate.
    """
    differences = MatchedDifferences(len(baseline), seed)
    differences.add(baseline[:, None], candidate[:, None])
    return differences.intervals(confidence)[0]


class MatchedDifferences:
    """Differences of several quantities as :func:`matched_difference` computes them, people given block by block.

    Args:
        people (int): Number of people of the whole dataset.
        seed (int): Seed of the resamples.
    """

    def __init__(self, people: int, seed: int = 0):
        self._sums = [ResampledSums(people, seed=seed) for _ in range(2)]  # of baselines and of candidates
        self._numbers = [ResampledSums(people, seed=seed) for _ in range(2)]
        self._candidates: list[np.ndarray] = []  # (n, K), bool
        self._shape: tuple[int, ...] = ()

    def add(self, baseline: np.ndarray, candidate: np.ndarray) -> None:
        """Add the values (n, Q, K) of the next n people; a keypoint is NaN in all of the Q quantities or in none."""
        self._shape = baseline.shape[1:]
        for index, values in enumerate((baseline, candidate)):
            known = np.isfinite(values)
            assert (known == known[:, :1]).all(), 'a keypoint has some of the quantities only'
            self._sums[index].add(np.where(known, values, 0).reshape(len(values), -1))
            self._numbers[index].add(known[:, 0])
        self._candidates.append(known[:, 0])

    def intervals(self, confidence: float = 0.95) -> list[MeanInterval]:
        """The Q differences, once all people were added."""
        assert all(sums.complete for sums in (*self._sums, *self._numbers)), 'people are missing'
        paired = self._numbers[0].observed > 0  # keypoints that somebody has as a baseline
        n = sum(int(known[:, paired].any(1).sum()) for known in self._candidates)
        means = self._differences([sums.observed[None] for sums in self._sums], 'observed')[0]
        ends = np.full((2, len(means)), np.nan)
        if n >= 2:
            ends = interval_ends(self._differences([sums.resampled for sums in self._sums], 'resampled'), confidence)
        return [MeanInterval(float(mean), float(low), float(high), n) for mean, low, high in zip(means, *ends)]

    def _differences(self, sums: list[np.ndarray], of: str) -> np.ndarray:
        """(resamples, Q) from sums (resamples, Q K)."""
        before, after = (getattr(numbers, of).reshape(len(sums[0]), 1, -1) for numbers in self._numbers)
        shape = (len(sums[0]), *self._shape)
        means = [part.reshape(shape) / np.maximum(number, 1) for part, number in zip(sums, (before, after))]
        weights = after * (before > 0)
        total = np.broadcast_to(weights.sum(-1), shape[:2])
        difference = ((means[1] - means[0]) * weights).sum(-1)
        return np.divide(difference, total, out=np.full(shape[:2], np.nan), where=total > 0)
