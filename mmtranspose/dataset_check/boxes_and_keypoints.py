"""Boxes and keypoints of people: there, of sensible values, inside the image."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mmtranspose.dataset_check.annotation_file import Annotations
from mmtranspose.dataset_check.problems import Problem

HALF = 0.5
"""A box with this share or less of its area inside the image is reported."""


def inside_share(boxes: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Share of each box's area that is inside its image, (N,); NaN for an empty box or an unknown image size.

    Args:
        boxes (np.ndarray): (N, 4), x, y, w, h in pixels.
        sizes (np.ndarray): (N, 2), w, h of the images.
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
            yield Problem(kind, f'{found.person(index)}: bbox {found.boxes[index].tolist()}, image {picture}')


FAR = 0.5
"""A visible keypoint farther from the box than this share of the box's longer side is reported."""


MOSTLY_OUTSIDE = 0.2
"""With this share of the people or more having keypoints outside the image, the coordinates are not its pixels."""


def _name(problem: str, mask: np.ndarray, found: Annotations, names: list[str]) -> Iterator[Problem]:
    """A problem for each person with a keypoint in ``mask`` (N, K), naming the first such keypoint."""
    for index in np.flatnonzero(mask.any(1)):
        k = int(mask[index].argmax())
        x, y, flag = found.keypoints[index, k]
        more = f' and {mask[index].sum() - 1} more' if mask[index].sum() > 1 else ''
        yield Problem(problem, f'{found.person(index)}: keypoint {k} ({names[k]}) {x:g}, {y:g}, {flag:g}{more}')


def outside_image(found: Annotations) -> np.ndarray:
    """Labelled keypoints more than a pixel outside the image, (N, K) bool; none where its size is unknown."""
    points = found.keypoints[..., :2]
    outside = (points < -1).any(2) | (points > found.sizes[:, None]).any(2)
    return outside & found.labelled & np.isfinite(found.sizes).all(1)[:, None]


def far_from_box(found: Annotations) -> np.ndarray:
    """Visible keypoints farther from a usable box than :data:`FAR` of its longer side, (N, K) bool."""
    points, boxes = found.keypoints[..., :2], found.boxes[:, None]
    gap = np.maximum(np.maximum(boxes[..., :2] - points, points - boxes[..., :2] - boxes[..., 2:]), 0).max(2)
    return found.visible & (gap > FAR * found.boxes[:, 2:].max(1, keepdims=True)) & (boxes[..., 2:] > 0).all(2)


def check_keypoints(found: Annotations, names: list[str]) -> Iterator[Problem]:
    """Flags are 0, 1 or 2; labelled keypoints are finite, in the image and near the box.

    Args:
        found (Annotations): The file's content.
        names (list[str]): Of the keypoints.
    """
    flags, points = found.keypoints[..., 2], found.keypoints[..., :2]
    lost = ~np.isfinite(points).all(2) & found.labelled
    origin = (points == 0).all(2) & found.labelled
    yield from _name('visibility', ~np.isin(flags, (0, 1, 2)), found, names)
    yield from _name('keypoints-not-finite', lost, found, names)
    yield from _name('keypoint-at-origin', origin, found, names)
    yield from _name('keypoint-outside', outside_image(found), found, names)
    yield from _name('keypoint-far', far_from_box(found) & ~outside_image(found) & ~origin, found, names)


def check_coordinates(found: Annotations) -> Iterator[Problem]:
    """The coordinates are pixels of the images: not fractions of 1, not those of images of another size."""
    labelled = found.labelled.any(1)
    if not labelled.any():
        return
    largest = np.nanmax(np.where(found.labelled, found.keypoints[..., :2].max(2), np.nan))
    if largest <= 1.5:
        yield Problem('coordinates', f'no labelled coordinate is above {largest:g}: fractions of the image?')
    outside = outside_image(found).any(1)[labelled]
    if outside.mean() >= MOSTLY_OUTSIDE:
        text = f'{outside.sum()} of {len(outside)} people have keypoints outside their image'
        yield Problem('coordinates', f'{text}: of another image size?')


def check_counts(found: Annotations) -> Iterator[Problem]:
    """``num_keypoints`` is the number of flags above 0, and MMPose drops nobody who is labelled."""
    wrong = np.isfinite(found.claimed) & (found.claimed != found.counted)
    usable = found.labelled.any(1) & (found.boxes[:, 2:] > 0).all(1)
    dropped = usable & ~found.kept & (found.claimed == 0)
    for index in np.flatnonzero(wrong):
        kind = 'labelled-but-dropped' if dropped[index] else 'num-keypoints'
        text = f'num_keypoints {found.claimed[index]:g}, {found.counted[index]:g} flags above 0'
        yield Problem(kind, f'{found.person(index)}: {text}')
    if not found.kept.any():
        yield Problem('no-people', f'{len(found.pictures)} images, {len(found.ids)} people, none that MMPose uses')
