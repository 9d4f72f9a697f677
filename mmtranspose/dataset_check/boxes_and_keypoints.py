"""Check the boxes and keypoints of people: they are there, have sensible values, and lie inside the image."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mmtranspose.dataset_check.annotations import Annotations
from mmtranspose.dataset_check.coordinates import outside_image
from mmtranspose.dataset_check.problems import Problem

HALF = 0.5  # a box with this share or less of its area inside the image is reported
LARGEST = 1e6  # pixels; MMPose makes whole numbers of coordinates, which overflow
FAR = 0.5  # a visible keypoint farther from the box than this share of the box's longer side is reported


def check_boxes(found: Annotations) -> Iterator[Problem]:
    """Check the boxes of the people with a labelled keypoint; MMPose drops everybody else whatever the box is."""
    labelled = found.labelled.any(1)
    empty = (found.boxes[:, 2:] <= 0).any(1)
    share = inside_share(found.boxes, found.image_sizes)
    for kind, faulty in (
        ('box-empty', empty),
        ('box-outside', share == 0),
        ('box-half-outside', (share > 0) & (share <= HALF)),
    ):
        for index in np.flatnonzero(faulty & labelled):
            size = 'x'.join(f'{value:g}' for value in found.image_sizes[index])
            yield Problem(kind, f'{found.person(index)}: bbox {found.boxes[index].tolist()}, image {size}')


def inside_share(boxes: np.ndarray, image_sizes: np.ndarray) -> np.ndarray:
    """Compute the share of each box's area that is inside its image.

    Args:
        boxes (np.ndarray): (N, 4), x, y, w, h in pixels.
        image_sizes (np.ndarray): (N, 2), w, h of the images.

    Returns:
        np.ndarray: (N,), 0 to 1; NaN for an empty box or an unknown image size.
    """
    low, high = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    inside = np.clip(np.minimum(high, image_sizes) - np.maximum(low, 0), 0, None).prod(1)
    area = boxes[:, 2:].prod(1)
    return np.divide(inside, area, out=np.full(len(boxes), np.nan), where=(boxes[:, 2:] > 0).all(1))


def check_keypoints(found: Annotations, names: list[str]) -> Iterator[Problem]:
    """Check flags, and that labelled keypoints are finite, in the image and near the box.

    Args:
        found (Annotations): The file's content.
        names (list[str]): Names of the K keypoints.
    """
    flags, points = found.keypoints[..., 2], found.keypoints[..., :2]
    not_finite = ~(np.abs(points) < LARGEST).all(2) & found.used[:, None]  # true for NaN too
    no_flag = ~(flags >= 0)  # true for NaN too
    weights = (flags > 0) & (flags < 1)  # as MMPose's CocoWholeBodyHandDataset has them
    origin = (points == 0).all(2) & found.labelled
    yield from _one_a_person('visibility', no_flag, found, names)
    yield from _one_a_person('visibility-unusual', ~np.isin(flags, (0, 1, 2)) & ~no_flag & ~weights, found, names)
    yield from _one_a_person('keypoints-not-finite', not_finite, found, names)
    yield from _one_a_person('keypoint-at-origin', origin, found, names)
    yield from _one_a_person('keypoint-outside', outside_image(found), found, names)
    yield from _one_a_person('keypoint-far', far_from_box(found) & ~outside_image(found) & ~origin, found, names)


def _one_a_person(kind: str, mask: np.ndarray, found: Annotations, names: list[str]) -> Iterator[Problem]:
    """A problem for each person with a keypoint in ``mask`` (N, K), naming the first such keypoint."""
    for index in np.flatnonzero(mask.any(1)):
        k = int(mask[index].argmax())
        x, y, flag = found.keypoints[index, k]
        more = f' and {mask[index].sum() - 1} more' if mask[index].sum() > 1 else ''
        yield Problem(kind, f'{found.person(index)}: keypoint {k} ({names[k]}) {x:g}, {y:g}, {flag:g}{more}')


def far_from_box(found: Annotations) -> np.ndarray:
    """Mark visible keypoints farther from a non-empty box than ``FAR`` of its longer side, (N, K) bool."""
    points, boxes = found.keypoints[..., :2], found.boxes[:, None]
    gap = np.maximum(np.maximum(boxes[..., :2] - points, points - boxes[..., :2] - boxes[..., 2:]), 0).max(2)
    return found.visible & (gap > FAR * found.boxes[:, 2:].max(1, keepdims=True)) & (boxes[..., 2:] > 0).all(2)


def check_copies_of_people(found: Annotations) -> Iterator[Problem]:
    """Check that no person is there twice: in the same image, with the same box and keypoints."""
    first: dict[tuple, int] = {}
    for index in np.flatnonzero(found.labelled.any(1)):
        person = found.people[index]
        key = person.image_id, tuple(person.box), found.keypoints[index].tobytes()
        if first.setdefault(key, index) != index:
            yield Problem('duplicate-person', f'{found.person(index)} is {found.person(first[key])}')


def check_counts(found: Annotations) -> Iterator[Problem]:
    """Check that ``num_keypoints`` is the number of flags above 0, and that MMPose drops nobody who is labelled.

    If nobody is left, the reasons are counted.
    """
    known = np.isfinite(found.stated_counts) & np.isfinite(found.flagged_counts)
    wrong = known & (found.stated_counts != found.flagged_counts)
    usable = found.labelled.any(1) & (found.boxes[:, 2:] > 0).all(1)
    dropped = usable & ~found.used & (found.stated_counts == 0)
    for index in np.flatnonzero(wrong):
        kind = 'labelled-but-dropped' if dropped[index] else 'num-keypoints'
        text = f'num_keypoints {found.stated_counts[index]:g}, {found.flagged_counts[index]:g} flags above 0'
        yield Problem(kind, f'{found.person(index)}: {text}')
    if not found.used.any():
        reasons = ', '.join(f'{count} {reason}' for reason, count in found.dropped.items())
        unreadable = found.num_entries - len(found.people) - found.dropped.total() + _counted_as_people(found)
        parts = [part for part in (reasons, f'{unreadable} that cannot be read' if unreadable > 0 else '') if part]
        text = f'{len(found.images)} images, {found.num_entries} annotations{": " * bool(parts)}{", ".join(parts)}'
        yield Problem('no-people', text)


def _counted_as_people(found: Annotations) -> int:
    """People who are dropped, and are therefore counted among the dropped as well as among the people."""
    return int((~found.used).sum())
