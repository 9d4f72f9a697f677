"""Draw the labels of an image's people over it, for a person to check."""

from __future__ import annotations

import re
from collections.abc import Iterable

import cv2
import numpy as np

from mmtranspose.keypoint_names import SIDES, keypoint_names
from mmtranspose.typing import DatasetMeta

# BGR
LEFT = (60, 200, 60)
RIGHT = (60, 130, 255)
MIDDLE = (255, 200, 60)
LIMB = (225, 225, 225)
BOX = (255, 255, 255)
EDGE = (0, 0, 0)
FARTHEST = 1e6  # pixels; OpenCV counts them in 32 bits
Colour = tuple[int, int, int]


def draw_labels(
    image: np.ndarray,
    keypoints: np.ndarray,
    visibility: np.ndarray,
    boxes: np.ndarray,
    dataset_meta: DatasetMeta,
    size: tuple[int, int],
) -> np.ndarray:
    """Resize an image and draw the labels of its P people over it.

    A filled disc is a visible keypoint, a ring an occluded one; limbs to an occluded keypoint are thin. Where the
    dataset has one colour for all keypoints, those of the person's left side are green, those of the right side orange
    and the others blue, by their names. Boxes are white.

    Args:
        image (np.ndarray): (h, w, 3), BGR, uint8.
        keypoints (np.ndarray): (P, K, 2): x, y in pixels of the image. Those that are not finite are not drawn.
        visibility (np.ndarray): (P, K): 0 for a keypoint without label, 1 for an occluded one, 2 for a visible one.
        boxes (np.ndarray): (N, 4): x, y, w, h in pixels of the image.
        dataset_meta (DatasetMeta): Names of the keypoints, ``skeleton_links`` (pairs of keypoints), and
            ``keypoint_colors`` and ``skeleton_link_colors`` (RGB) if there are any.
        size (tuple[int, int]): Width and height that the result fits into, in pixels; the aspect ratio is kept.

    Returns:
        np.ndarray: (h, w, 3), BGR, uint8.
    """
    height, width = image.shape[:2]
    scale = min(size[0] / width, size[1] / height)
    fitted = (max(1, round(width * scale)), max(1, round(height * scale)))
    drawn = cv2.resize(image, fitted, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    points = (np.asarray(keypoints, np.float64) + 0.5) * scale - 0.5
    flags = np.where(np.isfinite(points).all(-1), visibility, 0)
    for low, high in _corners(np.asarray(boxes, np.float64) * scale):
        cv2.rectangle(drawn, tuple(low - 1), tuple(high + 1), EDGE, 1)
        cv2.rectangle(drawn, tuple(low), tuple(high), BOX, 1)
    colours, limbs = _keypoint_colours(dataset_meta), _limbs(dataset_meta)
    for person, labelled in zip(_whole(points), flags):
        for a, b, colour in limbs:
            if labelled[a] > 0 and labelled[b] > 0:
                stroke = 2 if labelled[a] > 1 and labelled[b] > 1 else 1
                cv2.line(drawn, tuple(person[a]), tuple(person[b]), colour, stroke, cv2.LINE_AA)
        radius = _radius(person[labelled > 0])
        for point, flag, colour in zip(person, labelled, colours):
            if flag > 0:
                _draw_keypoint(drawn, tuple(point), radius, colour, flag > 1)
    return drawn


def _draw_keypoint(image: np.ndarray, point: tuple[int, int], radius: int, colour: Colour, visible: bool) -> None:
    """Draw a disc or a ring with a dark edge, which stands out from an image of its own colour."""
    cv2.circle(image, point, radius + 1, EDGE, -1 if visible else 1, cv2.LINE_AA)
    cv2.circle(image, point, radius, colour, -1 if visible else 1, cv2.LINE_AA)


def _radius(points: np.ndarray) -> int:
    """The radius of a person's keypoints: they would cover a small person."""
    extent = np.ptp(points, axis=0).max() if len(points) > 1 else np.inf
    return int(np.clip(extent / 25, 2, 4))


def _whole(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(np.nan_to_num(values)), -FARTHEST, FARTHEST).astype(np.int64)


def _corners(boxes: np.ndarray) -> Iterable[tuple[np.ndarray, np.ndarray]]:
    """The first and the last pixel of each box that has finite numbers."""
    for box in boxes[np.isfinite(boxes).all(-1)]:
        yield _whole(box[:2]), _whole(box[:2] + box[2:]) - 1


def _keypoint_colours(meta: DatasetMeta) -> list[Colour]:
    return _own_colours(meta.get('keypoint_colors')) or [_colour_of_side(name) for name in keypoint_names(meta)]


def _colour_of_side(name: str) -> Colour:
    words = re.findall('[A-Z]?[a-z]+|[A-Z]+', name)
    side = next((SIDES[word.lower()] for word in words if word.lower() in SIDES), '')
    return {SIDES['left']: LEFT, SIDES['right']: RIGHT}.get(side, MIDDLE)


def _limbs(meta: DatasetMeta) -> list[tuple[int, int, Colour]]:
    links = meta['skeleton_links']
    colours = _own_colours(meta.get('skeleton_link_colors')) or [LIMB] * len(links)
    # MMPose takes links of any length; check-dataset names those that are no pairs.
    return [(link[0], link[1], colour) for link, colour in zip(links, colours) if len(link) == 2]


def _own_colours(given: np.ndarray | None) -> list[Colour]:
    """A dataset's colours (N, 3), RGB, as BGR; none where they are all the same, and tell nothing apart."""
    colours = [(int(blue), int(green), int(red)) for red, green, blue in (() if given is None else given)]
    return colours if len(set(colours)) > 1 else []
