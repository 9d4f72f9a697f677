"""What kind of error each keypoint has, and where it would be without that error.

The kinds are those of Ruggero Ronchi and Perona, "Benchmarking and Error Diagnosis in Multi-Instance Pose Estimation",
ICCV 2017, arXiv 1707.05388, with the thresholds of their published program, coco-analyze. The similarity of a predicted
keypoint to a true one is ks = exp(-d^2 / (2 s^2 k^2)), with the distance d, the true person's area s^2 and k = 2 sigma
of the true keypoint, as in COCO's OKS. A labelled keypoint is

- ``good``: ks of 0.85 or more to its own ground truth;
- ``jitter``: from 0.5 to below 0.85;
- below 0.5 an ``inversion``, if ks is 0.5 or more to the left or right counterpart of the same person;
- or a ``swap``, if it is 0.5 or more to the same keypoint, or its counterpart, of another person in the image;
- otherwise a ``miss``.

If both an inversion and a swap are possible, the larger ks decides, as in that program; if both are equal, it is an
inversion. That program (``pycocotools/cocoanalyze.py``) differs in two points. A keypoint that is near its own place
still counts there as an inversion or a swap if the wrong place is nearer. And it puts corrected keypoints beside their
ground truth along x, at a distance in which the factor 2 of k is missing, so that they come nearer than their ks says.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
import torch

from mmtranspose.dataset_explanation.labelled_people import GroundTruth
from mmtranspose.explain.metrics import keypoint_oks

TYPES = ('good', 'jitter', 'inversion', 'swap', 'miss')
GOOD, JITTER, INVERSION, SWAP, MISS = range(len(TYPES))
ERRORS = TYPES[1:]
NOT_LABELLED = -1
GOOD_FROM, NEAR_FROM = 0.85, 0.5  # ks
ROUNDING = 1e-9  # of ks: a person moved to an OKS of 0.5 passes AP's threshold of 0.5


class Diagnosis(NamedTuple):
    """The kinds of errors of one person's K keypoints.

    Attributes:
        kind (np.ndarray): (K,), places in ``TYPES``; ``NOT_LABELLED`` where there is no ground truth.
        similarity (np.ndarray): (K,), ks to the own ground truth, which is the keypoint's OKS; NaN where not labelled.
        mistaken (np.ndarray): (K,), of inversions and swaps ks to what the keypoint was mistaken for; otherwise NaN.
        whose (np.ndarray): (K,), of swaps the ``id`` of the other person's ground truth; otherwise -1.
    """

    kind: np.ndarray
    similarity: np.ndarray
    mistaken: np.ndarray
    whose: np.ndarray


def diagnose(
    predicted: np.ndarray,
    own: GroundTruth,
    others: Sequence[GroundTruth],
    sigmas: np.ndarray,
    flip_indices: Sequence[int],
) -> Diagnosis:
    """Find the kind of error of each keypoint of a person.

    Args:
        predicted (np.ndarray): (K, 2), (x, y) in pixels of the image.
        own (GroundTruth): Of the same person.
        others (Sequence[GroundTruth]): Of the other people in the image.
        sigmas (np.ndarray): (K,), the dataset's.
        flip_indices (Sequence[int]): K numbers: of each keypoint's counterpart, or of the keypoint itself.
    """
    flip = np.asarray(flip_indices)
    both = [similarities(predicted, person, sigmas, flip) for person in (own, *others)]
    similarity = both[0][0].copy()
    both[0][0] = np.nan  # what is left are wrong places, in pairs: own and counterpart
    wrong = np.nan_to_num(np.concatenate(both), nan=-1)
    place, mistaken = wrong.argmax(0), wrong.max(0)
    labelled = np.isfinite(similarity)
    near = np.where(mistaken >= NEAR_FROM, np.where(place == 1, INVERSION, SWAP), MISS)
    kind = np.select([~labelled, similarity >= GOOD_FROM, similarity >= NEAR_FROM], [NOT_LABELLED, GOOD, JITTER], near)
    confused = np.isin(kind, (INVERSION, SWAP))
    ids = np.array([-1, *(person.id for person in others)])
    whose = np.where(kind == SWAP, ids[place // 2], -1).astype(np.int32)
    return Diagnosis(kind.astype(np.int8), similarity, np.where(confused, mistaken, np.nan), whose)


def similarities(predicted: np.ndarray, person: GroundTruth, sigmas: np.ndarray, flip: np.ndarray) -> np.ndarray:
    """Compute ks of predicted keypoints (K, 2) to a person's same keypoints and to their counterparts.

    Returns:
        np.ndarray: (2, K); NaN where the true keypoint is not labelled.
    """
    true = np.stack([person.keypoints, person.keypoints[flip]])
    distances = torch.from_numpy(np.linalg.norm(predicted - true, axis=-1))
    spread = torch.from_numpy(np.stack([sigmas, np.asarray(sigmas)[flip]]).astype(float))
    areas = torch.full((2,), person.area, dtype=torch.float64)
    return keypoint_oks(distances.unsqueeze(-1), areas, spread)[..., 0].numpy()


def tolerances(areas: np.ndarray, sigmas: np.ndarray) -> np.ndarray:
    """Compute the distance (N, K) in pixels that counts as one sigma: sqrt(area) * 2 sigma, where ks is exp(-1/2).

    Args:
        areas (np.ndarray): (N,), square pixels.
        sigmas (np.ndarray): (K,), the dataset's.
    """
    return np.sqrt(np.asarray(areas, float))[:, None] * 2 * np.asarray(sigmas, float)


def corrected(cases: dict[str, np.ndarray], sigmas: np.ndarray, kinds: Collection[str]) -> np.ndarray:
    """Move the keypoints of N people that have one of some kinds of errors towards their ground truth.

    A keypoint is moved until its ks is 0.85 (``jitter``), 0.5 (``miss``), or what its ks to the mistaken keypoint was
    (``inversion``, ``swap``).

    Args:
        cases (dict[str, np.ndarray]): ``predicted`` and ``truth`` (N, K, 2), ``area`` (N,), ``kind`` and ``mistaken``
            (N, K).
        sigmas (np.ndarray): (K,), the dataset's.
        kinds (Collection[str]): Some of ``ERRORS``.

    Returns:
        np.ndarray: (N, K, 2), (x, y) in pixels of the image.
    """
    kind, truth = cases['kind'], cases['truth'].astype(float)
    away = cases['predicted'].astype(float) - truth
    level = np.select([kind == JITTER, kind == MISS], [GOOD_FROM, NEAR_FROM], cases['mistaken']) + ROUNDING
    distance = np.sqrt(-2 * np.log(np.minimum(level, 1))) * tolerances(cases['area'], sigmas)
    chosen = np.isin(kind, [TYPES.index(name) for name in kinds])
    shorter = np.divide(distance, np.linalg.norm(away, axis=-1), out=np.ones_like(distance), where=chosen)
    return np.where(chosen[..., None], truth + away * shorter[..., None], cases['predicted'])
