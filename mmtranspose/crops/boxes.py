"""Boxes of people that a user gives: read, and checked against their image."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mmtranspose.errors import InputError
from mmtranspose.files.json_files import read_json


def load_bboxes(path: str) -> np.ndarray:
    """Boxes of one image from a JSON file.

    Args:
        path (str): A list of boxes [x1, y1, x2, y2] or [x1, y1, x2, y2, score] in pixels; or of dicts with ``bbox``
            [x, y, w, h] and perhaps ``score``, as COCO writes detections.

    Returns:
        np.ndarray: (N, 5), xyxy and score, float32.

    Raises:
        InputError: The file is missing or no JSON; a box has another length, is not finite, or has no positive size.
    """
    entries = read_json(Path(path), 'box file')
    if not isinstance(entries, list):
        raise InputError(f'box file {path} must hold a list of boxes, not a {type(entries).__name__}')
    return parse_boxes(entries, f'box file {path}, entry')


def parse_boxes(entries: list, where: str, check: bool = True) -> np.ndarray:
    """Boxes (N, 5) as :func:`load_bboxes` takes them, from the list in the file; ``where`` is said of a bad one.

    Raises:
        InputError: An entry is no box; or, unless ``check`` is False, is not finite or has no positive size.
    """
    boxes = [_parse_box(entry, f'{where} {index}', check) for index, entry in enumerate(entries)]
    return np.array(boxes, dtype=np.float32).reshape(-1, 5)


def _parse_box(entry: object, where: str, check: bool) -> list[float]:
    try:
        if isinstance(entry, dict):
            x, y, w, h = (float(value) for value in entry['bbox'])
            box = [x, y, x + w, y + h, float(entry.get('score', 1.0))]
        else:
            box = [] if isinstance(entry, str) else [float(value) for value in entry]
            box = box if len(box) == 5 else [*box, 1.0]
        x1, y1, x2, y2, _ = box
    except (TypeError, ValueError, KeyError, OverflowError) as error:
        raise InputError(f'{where}: {entry!r} is not a box: four numbers x1, y1, x2, y2 are wanted ({error})') from None
    if check and not np.isfinite(box).all():
        raise InputError(f'{where}: the box {entry!r} has a value that is not finite')
    if check and (x2 <= x1 or y2 <= y1):
        raise InputError(f'{where}: the box {entry!r} has no positive width and height')
    return box


def with_scores(bboxes: object) -> np.ndarray:
    """Boxes (N, 5) float32 from (N, 4) or (N, 5) or none at all; the score is 1 where there is none.

    Raises:
        InputError: They have another shape.
    """
    bboxes = np.asarray(bboxes, dtype=np.float32)
    if bboxes.size == 0:
        return np.zeros((0, 5), np.float32)
    if bboxes.ndim != 2 or bboxes.shape[1] not in (4, 5):
        raise InputError(f'bboxes must have shape (N, 4) or (N, 5), not {bboxes.shape}')
    return bboxes if bboxes.shape[1] == 5 else np.column_stack([bboxes, np.ones(len(bboxes), np.float32)])


def whole_image(image: np.ndarray) -> np.ndarray:
    """One box, (1, 5), around the image (h, w, 3)."""
    h, w = image.shape[:2]
    return np.array([[0, 0, w, h, 1]], dtype=np.float32)


def check_boxes(bboxes: np.ndarray, image_shape: Sequence[int]) -> None:
    """Check boxes (N, 4) or (N, 5) against the (h, w) of their image.

    Raises:
        InputError: They have another shape; a box is not finite, has no positive size, or lies outside the image.
    """
    for index, box in enumerate(with_scores(bboxes)):
        problem = box_problem(box, image_shape)
        if problem:
            raise InputError(f'box {index} {box.tolist()} {problem}')


def box_problem(box: np.ndarray, image_shape: Sequence[int]) -> str | None:
    """What is wrong with a box (x1, y1, x2, y2, ...) in an image of (h, w), if anything is."""
    (x1, y1, x2, y2), (h, w) = box[:4], image_shape
    if not np.isfinite(box).all() or x2 <= x1 or y2 <= y1:
        return 'is not finite or has no positive width and height'
    if x2 <= 0 or y2 <= 0 or x1 >= w or y1 >= h:
        return f'lies outside the image of {w} x {h} pixels'
    return None
