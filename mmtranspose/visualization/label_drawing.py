"""Draw the labels of an image's people over it, for a person to check."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np

from mmtranspose.keypoint_names import keypoint_names
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
    for corners in _corners(np.asarray(boxes, np.float64) * scale):
        cv2.rectangle(drawn, *corners, BOX, 1)
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


def _corners(boxes: np.ndarray) -> Iterable[tuple[list[int], list[int]]]:
    """The upper left and lower right corner of each box that has finite numbers."""
    for box in boxes[np.isfinite(boxes).all(-1)]:
        yield _whole(box[:2]).tolist(), _whole(box[:2] + box[2:]).tolist()


def _keypoint_colours(meta: DatasetMeta) -> list[Colour]:
    given = meta.get('keypoint_colors')
    if _differ(given):
        return [_bgr(one) for one in given]
    sides = [next((side for side in ('left', 'right') if side in name.lower()), '') for name in keypoint_names(meta)]
    return [dict(left=LEFT, right=RIGHT).get(side, MIDDLE) for side in sides]


def _limbs(meta: DatasetMeta) -> list[tuple[int, int, Colour]]:
    links, given = meta['skeleton_links'], meta.get('skeleton_link_colors')
    colours = [_bgr(one) for one in given] if _differ(given) else [LIMB] * len(links)
    return [(a, b, colour) for (a, b), colour in zip(links, colours)]


def _differ(colours: np.ndarray | None) -> bool:
    return colours is not None and len({tuple(one) for one in colours}) > 1


def _bgr(colour: np.ndarray) -> Colour:
    red, green, blue = (int(value) for value in colour)
    return blue, green, red
