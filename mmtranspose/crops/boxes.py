"""Bounding boxes of people as a user gives them: read from a file or an array, and checked against their image."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmtranspose.errors import InputError
from mmtranspose.files.json_files import read_json
from mmtranspose.typing import BoxesLike, PathLike


def load_bboxes(path: PathLike) -> np.ndarray:
    """Read the boxes of one image from a JSON file.

    Args:
        path (PathLike): The file holds a list of boxes, [x1, y1, x2, y2] or [x1, y1, x2, y2, score] in pixels; or of
            dicts with ``bbox`` [x, y, w, h] and perhaps ``score``, as COCO writes detections.

    Returns:
        np.ndarray: (N, 5), xyxy and score, float32.

    Raises:
        InputError: The file is missing or is not JSON; a box has another length, is not finite, or has no positive
            size.
    """
    entries = read_json(Path(path), 'box file')
    if not isinstance(entries, list):
        raise InputError(f'box file {path} must hold a list of boxes, not a {type(entries).__name__}')
    return parse_boxes(entries, f'box file {path}, entry')


def parse_boxes(entries: list, where: str, check: bool = True) -> np.ndarray:
    """Convert a list of boxes, as :func:`load_bboxes` reads it from a file, into an array.

    Args:
        entries (list): Lists of numbers, or dicts with ``bbox``.
        where (str): Begins the message about a bad entry; the entry's number follows.
        check (bool): Refuse boxes that are not finite or have no positive size.

    Returns:
        np.ndarray: (N, 5), xyxy and score, float32.

    Raises:
        InputError: An entry is not a box, or is refused.
    """
    boxes = [_parse_box(entry, f'{where} {index}', check) for index, entry in enumerate(entries)]
    return np.array(boxes, dtype=np.float32).reshape(-1, 5)


def _parse_box(entry: Any, where: str, check: bool) -> list[float]:
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


def with_scores(bboxes: BoxesLike) -> np.ndarray:
    """Convert boxes (N, 4) or (N, 5), or none at all, into (N, 5), float32; a missing score becomes 1.

    Raises:
        InputError: They have another shape.
    """
    boxes = np.asarray(bboxes, dtype=np.float32)
    if boxes.size == 0:
        return np.zeros((0, 5), np.float32)
    if boxes.ndim != 2 or boxes.shape[1] not in (4, 5):
        raise InputError(f'bboxes must have shape (N, 4) or (N, 5), not {boxes.shape}')
    return boxes if boxes.shape[1] == 5 else np.column_stack([boxes, np.ones(len(boxes), np.float32)])


def whole_image(image: np.ndarray) -> np.ndarray:
    """Make one box (1, 5), xyxy and score 1, around the image (h, w, 3)."""
    h, w = image.shape[:2]
    return np.array([[0, 0, w, h, 1]], dtype=np.float32)


def check_boxes(bboxes: BoxesLike, image_shape: Sequence[int]) -> None:
    """Check boxes (N, 4) or (N, 5) against the (h, w) of their image.

    Raises:
        InputError: They have another shape; a box is not finite, has no positive size, or lies outside the image.
    """
    for index, box in enumerate(with_scores(bboxes)):
        problem = box_problem(box, image_shape)
        if problem:
            raise InputError(f'box {index} {box.tolist()} {problem}')


def box_problem(box: np.ndarray, image_shape: Sequence[int]) -> str | None:
    """Say what is wrong with a box (x1, y1, x2, y2, ...) in an image of (h, w); None if nothing is."""
    (x1, y1, x2, y2), (h, w) = box[:4], image_shape
    if not np.isfinite(box).all() or x2 <= x1 or y2 <= y1:
        return 'is not finite or has no positive width and height'
    if x2 <= 0 or y2 <= 0 or x1 >= w or y1 >= h:
        return f'lies outside the image of {w} x {h} pixels'
    return None
