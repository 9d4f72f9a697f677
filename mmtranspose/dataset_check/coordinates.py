"""Check that coordinates are pixels, and boxes x, y, width, height: what exporting tools confuse most."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mmtranspose.dataset_check.annotations import Annotations
from mmtranspose.dataset_check.problems import Problem

FAR_OUTSIDE = 0.1  # share of the image's longer side; labels of people whom it cuts off lie a little outside
MOSTLY_OUTSIDE = 0.2  # if this share of people have keypoints outside the image, the coordinates are not its pixels
LARGEST_FRACTION = 1.5  # coordinates up to this are fractions of the image, not pixels
MIN_PEOPLE = 3  # fewer people than this prove nothing about a file
MOST_PEOPLE = 0.9  # the share of people whose boxes must make sense as corners
SLACK = 0.1  # keypoints may lie outside a box by this share of its longer side
MIN_LABELLED = 0.5  # share of a person's keypoints that must be labelled to tell how large the person is
TOO_LARGE = 2.5  # the longer side of a box by that of what its keypoints cover, in medians of the file
FAR_TOO_LARGE = 4.0  # the same, for all boxes of a file
MISSED = 0.1  # share of a person's visible keypoints that may lie outside the box, but for the slack


def check_coordinates(found: Annotations) -> Iterator[Problem]:
    """Check that coordinates are pixels of the images: not fractions of 1, not pixels of images of another size."""
    labelled = found.labelled.any(1)
    if not labelled.any():
        return
    largest = np.nanmax(np.where(found.labelled, found.keypoints[..., :2].max(2), np.nan))
    if largest <= LARGEST_FRACTION:
        yield Problem('coordinates', f'no labelled coordinate is above {largest:g}: fractions of the image?')
    elif found.boxes[labelled].max() <= LARGEST_FRACTION:
        yield Problem('coordinates', f'no box has a number above {found.boxes[labelled].max():g}: fractions?')
    outside = outside_image(found, FAR_OUTSIDE).any(1)[labelled]
    if outside.sum() >= MIN_PEOPLE and outside.mean() >= MOSTLY_OUTSIDE:
        text = f'{outside.sum()} of {len(outside)} people have keypoints outside their image'
        yield Problem('coordinates', f'{text}: of another image size?')


def outside_image(found: Annotations, margin: float = 0.0) -> np.ndarray:
    """Mark labelled keypoints more than a pixel outside the image, (N, K) bool; none where its size is unknown.

    Args:
        found (Annotations): The file's content.
        margin (float): By which share of the image's longer side, besides, a keypoint must lie outside.
    """
    points, slack = found.keypoints[..., :2], margin * found.image_sizes.max(1)[:, None, None]
    outside = (points < -1 - slack).any(2) | (points > found.image_sizes[:, None] + slack).any(2)
    return outside & found.labelled & np.isfinite(found.image_sizes).all(1)[:, None]


def check_box_form(found: Annotations) -> Iterator[Problem]:
    """Check that boxes are x, y, width, height and not corners x1, y1, x2, y2; otherwise that they fit their people."""
    points = np.where(found.labelled[..., None], found.keypoints[..., :2], np.nan)
    enough = found.labelled.mean(1) >= MIN_LABELLED
    extent = _extent(points, enough)
    size = found.boxes[:, 2:].max(1)
    fitting = _fit_as_corners(found, points, enough)
    corners = fitting & _too_large_as_size(found)
    if corners.sum() >= max(MIN_PEOPLE, fitting.sum() / 2) and fitting[enough].mean() >= MOST_PEOPLE:
        text = f'in {fitting.sum()} of {enough.sum()} people'
        yield Problem('box-corners', f'{text}, as in {found.person(int(corners.argmax()))}')
        return
    known = enough & found.used & (extent > 0) & (size > 0)
    for kind, faulty in (('box-loose', corners | _loose(size, extent, known)), ('box-misses', _misses(found, points))):
        for index in np.flatnonzero(faulty & known):
            text = f'{found.person(index)}: bbox {found.boxes[index].tolist()}, keypoints over {extent[index]:g} pixels'
            yield Problem(kind, text)


def _extent(points: np.ndarray, enough: np.ndarray) -> np.ndarray:
    """The longer side, in pixels, of what each person's labelled keypoints cover, (N,); 0 for too few of them."""
    extent = np.zeros(len(points))
    if enough.any():
        some = points[enough]
        extent[enough] = (np.nanmax(some, 1) - np.nanmin(some, 1)).max(1)
    return extent


def _loose(size: np.ndarray, extent: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Mark the people, (N,) bool, whose box is far larger than their keypoints, or than those of others are.

    Args:
        size (np.ndarray): (N,), the longer side of each box in pixels.
        extent (np.ndarray): (N,), the longer side of what each person's keypoints cover, in pixels.
        known (np.ndarray): (N,) bool, whose extent tells something; keypoints of the trunk alone cover a part of a box.
    """
    ratios = np.divide(size, extent, out=np.zeros(len(size)), where=known)
    median = float(np.median(ratios[known])) if known.any() else 1.0
    return ratios > (FAR_TOO_LARGE if median > FAR_TOO_LARGE else TOO_LARGE * max(1.0, median))


def _misses(found: Annotations, points: np.ndarray) -> np.ndarray:
    """Mark the people, (N,) bool, with too many of their visible keypoints, of (N, K, 2), outside their box.

    Keypoints that are labelled though occluded do not count: boxes reach around what is seen.
    """
    low, size = found.boxes[:, None, :2], found.boxes[:, None, 2:]
    slack = SLACK * size.max(2, keepdims=True)
    outside = ((points < low - slack) | (points > low + size + slack)).any(2) & found.visible
    return outside.sum(1) > MISSED * found.visible.sum(1)


def _fit_as_corners(found: Annotations, points: np.ndarray, enough: np.ndarray) -> np.ndarray:
    """Mark the people, (N,) bool, whose box holds their labelled keypoints (N, K, 2) if it is read as corners."""
    low, high = found.boxes[:, :2], found.boxes[:, 2:]
    slack = SLACK * (high - low).max(1)[:, None, None]
    inside = ~((points < low[:, None] - slack) | (points > high[:, None] + slack)).any((1, 2))
    return enough & (high > low).all(1) & inside


def _too_large_as_size(found: Annotations) -> np.ndarray:
    """Mark the people, (N,) bool, whose box leaves the image, or is twice as long as it would be as corners."""
    low, high = found.boxes[:, :2], found.boxes[:, 2:]
    leaves = (low + high > found.image_sizes + 1).any(1)
    return leaves | (high.max(1) > 2 * (high - low).max(1))
