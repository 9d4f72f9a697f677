"""Boxes of people: there, of positive size, inside the picture."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mmtranspose.apis.dataset_check.annotations import Annotations
from mmtranspose.apis.dataset_check.problems import Problem

HALF = 0.5
"""A box with this share or less of its area inside the picture is reported."""


def inside_share(boxes: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Share of each box's area that is inside its picture, (N,); NaN for an empty box or an unknown picture size.

    Args:
        boxes (np.ndarray): (N, 4), x, y, w, h in pixels.
        sizes (np.ndarray): (N, 2), w, h of the pictures.
    """
    low, high = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    inside = np.clip(np.minimum(high, sizes) - np.maximum(low, 0), 0, None).prod(1)
    area = boxes[:, 2:].prod(1)
    return np.divide(inside, area, out=np.full(len(boxes), np.nan), where=(boxes[:, 2:] > 0).all(1))


def check_boxes(found: Annotations) -> Iterator[Problem]:
    """Boxes of the people with a labelled keypoint; MMPose drops the others whatever their box is."""
    used = found.labelled.any(1)
    empty = (found.boxes[:, 2:] <= 0).any(1)
    share = inside_share(found.boxes, found.sizes)
    for kind, faulty in (
        ('box-empty', empty),
        ('box-outside', share == 0),
        ('box-half-outside', (share > 0) & (share <= HALF)),
    ):
        for index in np.flatnonzero(faulty & used):
            picture = 'x'.join(f'{value:g}' for value in found.sizes[index])
            yield Problem(kind, f'{found.person(index)}: bbox {found.boxes[index].tolist()}, picture {picture}')
