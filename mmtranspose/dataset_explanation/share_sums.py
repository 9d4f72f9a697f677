"""Shares of attention in body parts' discs, summed over people: what is kept of them does not grow with people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.stats import t
from torch import Tensor

from mmtranspose.explain.metrics import MeanInterval, disc_shares
from mmtranspose.keypoint_names import keypoint_groups

FLAGS = (1, 2, 3)  # COCO's: occluded, visible; ours: labelled, unknown which
GROUPS = {'all': (1, 2, 3), 'visible': (2,), 'occluded': (1,)}
MANY_KEYPOINTS = 30  # above it, figures and tables show groups of keypoints


def share_sums(shares: np.ndarray, visibility: np.ndarray) -> dict[str, np.ndarray]:
    """Sum shares over people, apart for keypoints of each of ``FLAGS``.

    Args:
        shares (np.ndarray): (people, L, K, J), NaN where there is none.
        visibility (np.ndarray): (people, K), flags.

    Returns:
        dict: (3, L, K, J): ``share_sums`` and ``share_squares``, sums of the shares and of their squares, float64, and
        ``share_counts``, their numbers.
    """
    known = np.isfinite(shares)
    values = np.where(known, shares, 0).astype(np.float64)
    flags = (visibility == np.array(FLAGS)[:, None, None]).astype(np.float64)  # (3, people, K)

    def summed(numbers: np.ndarray) -> np.ndarray:
        return np.einsum('fnk,nlkj->flkj', flags, numbers)

    counts = summed(known.astype(np.float64)).astype(np.int32)
    return dict(share_sums=summed(values), share_squares=summed(values**2), share_counts=counts)


@dataclass(frozen=True)
class Dependency:
    """The share of each keypoint's attention in each body part's disc, averaged over people, with intervals.

    Attributes:
        names (Sequence[str]): Names of the K keypoints, which are the body parts too.
        intervals (Mapping[str, MeanInterval]): By group of ``GROUPS``: arrays (L, K, J = K).
    """

    names: Sequence[str]
    intervals: Mapping[str, MeanInterval]

    @classmethod
    def of(cls, sums: Mapping[str, np.ndarray], names: Sequence[str]) -> Dependency:
        """Average the sums of all people; see :func:`share_sums` and :func:`student_intervals`."""
        intervals = {}
        for group, flags in GROUPS.items():
            chosen = [FLAGS.index(flag) for flag in flags]
            parts = (sums[name][chosen].sum(0) for name in ('share_sums', 'share_squares', 'share_counts'))
            intervals[group] = student_intervals(*parts)
        return cls(names, intervals)

    def rows(self) -> Iterator[dict[str, object]]:
        """One row for each group, layer, keypoint and part: the table ``dependency.csv``; six digits of each number."""
        for group, found in self.intervals.items():
            for index in np.ndindex(np.shape(found.mean)):
                layer, keypoint, part = index
                about = dict(layer=layer + 1, group=group, keypoint=self.names[keypoint], part=self.names[part])
                yield about | {
                    name: float(f'{np.asarray(values)[index]:.6g}') for name, values in zip(MeanInterval._fields, found)
                }


def student_intervals(
    sums: np.ndarray, squares: np.ndarray, counts: np.ndarray, confidence: float = 0.95
) -> MeanInterval:
    """Compute means of shares over people with Student's t intervals, from sums alone.

    The interval is mean ± t s / sqrt(n), where s is the sample's standard deviation and t the quantile of Student's
    distribution with n - 1 degrees of freedom. It is cut off at 0 and 1, between which shares lie.

    Args:
        sums (np.ndarray): Sums over people, of any shape.
        squares (np.ndarray): Of the values' squares.
        counts (np.ndarray): Numbers of people, n.
        confidence (float): Between 0 and 1, both excluded.

    Returns:
        MeanInterval: Arrays of that shape. NaN as of :func:`mean_intervals`: the mean of nobody, the interval of one.
    """
    n = np.where(counts > 0, counts, np.nan)
    freedom = np.where(counts > 1, counts - 1.0, np.nan)
    mean = sums / n
    deviation = np.sqrt(np.maximum(squares - sums * mean, 0) / freedom)
    half = t.ppf((1 + confidence) / 2, freedom) * deviation / np.sqrt(n)
    return MeanInterval(mean, np.maximum(mean - half, 0), np.minimum(mean + half, 1), counts)


def shown_groups(names: Sequence[str]) -> dict[str, list[int]]:
    """The groups of keypoints that figures and tables show in place of keypoints; empty where they show keypoints."""
    groups = keypoint_groups(names) if len(names) > MANY_KEYPOINTS else {}
    return groups if len(groups) > 1 else {}


def grouped_shares(
    maps: Tensor, coverage: Tensor, visibility: np.ndarray, groups: Mapping[str, Sequence[int]]
) -> dict[str, np.ndarray]:
    """Compute the share of attention in the discs of each group of keypoints taken together, summed over keypoints.

    Where discs share a cell, they are taken to overlap as if placed in it at random: 1 - Π (1 - coverage) of it is in
    at least one disc.

    Args:
        maps (Tensor): (L, B, K, h, w), over the token grid.
        coverage (Tensor): (B, K, h, w), of :func:`disc_coverage`.
        visibility (np.ndarray): (B, K), flags.
        groups (Mapping[str, Sequence[int]]): Numbers of the keypoints of each of the G groups.

    Returns:
        dict: ``group_sums`` (B, 3, L, G, G), float32: for each of ``FLAGS``, the shares of a group's keypoints with
        this flag, summed, by the group that they attend to; ``group_counts`` (B, 3, G, G): the number of these
        keypoints; 0 where no keypoint of the group that they would attend to is labelled.
    """
    free = 1 - coverage.nan_to_num(0)
    together = torch.stack([1 - free[:, [*numbers]].prod(1) for numbers in groups.values()], dim=1)
    labelled = torch.stack([coverage[:, [*numbers]].isfinite().any(1) for numbers in groups.values()], dim=1)[..., 0, 0]
    members = torch.stack([torch.zeros(maps.shape[2]).index_fill_(0, torch.tensor(n), 1) for n in groups.values()])
    flags = (torch.from_numpy(visibility)[:, None] == torch.tensor(FLAGS)[:, None]).float()  # (B, 3, K)
    shares = disc_shares(maps, together) * labelled[:, None]  # (L, B, K, G)
    sums = torch.einsum('lbkh,bfk,gk->bflgh', shares.cpu(), flags, members)
    counts = torch.einsum('bfk,gk,bh->bfgh', flags, members, labelled.float())
    return dict(group_sums=sums.numpy(), group_counts=counts.int().numpy())
