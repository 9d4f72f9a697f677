"""Bounding boxes of people as a user gives them: read from a file or an array, and checked against their image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from mmtranspose.errors import InputError, require_choice
from mmtranspose.files.json_files import read_json
from mmtranspose.typing import BoxesLike, PathLike

BBOX_FORMATS = ('xyxy', 'xywh')
LARGEST = 100  # sides of a box, in longer sides of its image
NARROWEST = 0.001  # pixels


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
    return as_boxes([_parse_box_at(f'{where} {index}', entry, check) for index, entry in enumerate(entries)])


def _parse_box_at(where: str, entry: Any, check: bool) -> list[float]:
    try:
        return parse_box(entry, check)
    except InputError as error:
        raise InputError(f'{where}: {error}') from None


def parse_box(entry: Any, check: bool = True) -> list[float]:
    """Convert one entry of a list of boxes to x1, y1, x2, y2 and score.

    Args:
        entry (Any): [x1, y1, x2, y2], [x1, y1, x2, y2, score], or a dict with ``bbox`` [x, y, w, h] and perhaps
            ``score``.
        check (bool): Refuse a box that is not finite or has no positive size.

    Raises:
        InputError: The entry is not a box, or is refused; the message does not say where the entry is.
    """
    try:
        if isinstance(entry, dict):
            x, y, w, h = _numbers(entry['bbox'])
            box = [x, y, x + w, y + h, *_numbers([entry.get('score', 1.0)])]
        else:
            box = _numbers(entry)
            box = box if len(box) == 5 else [*box, 1.0]
        x1, y1, x2, y2, _ = box
    except (TypeError, ValueError, KeyError, OverflowError) as error:
        raise InputError(
            f'{shortened(entry)} is not a box: [x1, y1, x2, y2] or [x1, y1, x2, y2, score] is expected, or '
            f'{{"bbox": [x, y, w, h], "score": s}} ({_in_words(error)})'
        ) from None
    if check and not np.isfinite(box).all():
        raise InputError(f'the box {shortened(entry)} has a value that is not finite')
    if check and (x2 <= x1 or y2 <= y1):
        raise InputError(f'the box {shortened(entry)} has no positive width and height')
    return box


def _in_words(error: Exception) -> str:
    return f'there is no {error}' if isinstance(error, KeyError) else shortened(error, str)


def _numbers(values: Any) -> list[float]:
    """The values as numbers; texts of digits would pass ``float`` one by one, and truth values too."""
    if isinstance(values, (str, dict)) or any(isinstance(value, bool) for value in values):
        raise TypeError(f'{shortened(values)} is no list of numbers')
    return [float(value) for value in values]


def shortened(value: object, text: Callable[[object], str] = repr) -> str:
    """The beginning of a value's text, for messages about values that may be of any kind and size."""
    try:
        written = text(value)
    except RecursionError:  # lists in lists in lists
        return f'a {type(value).__name__} of {type(value).__name__}s'
    return written if len(written) <= 100 else f'{written[:100]}...'


def as_boxes(bboxes: BoxesLike, bbox_format: str = 'xyxy') -> np.ndarray:
    """Convert boxes as a caller of the Python API gives them; the same for all of its functions.

    Args:
        bboxes (BoxesLike): (N, 4) or (N, 5), in pixels and perhaps a score; or none at all.
        bbox_format (str): ``'xyxy'``: x1, y1, x2, y2; or ``'xywh'``: x1, y1, width, height.

    Returns:
        np.ndarray: (N, 5), xyxy and score, float32; a missing score is 1. Nothing is checked against an image, see
        :func:`check_boxes`.

    Raises:
        InputError: They are no numbers or have another shape, or the format is unknown.
    """
    require_choice('bbox_format', bbox_format, BBOX_FORMATS)
    boxes = with_scores(bboxes)
    if bbox_format == 'xywh':
        boxes[:, 2:4] += boxes[:, :2]
    return boxes


def with_scores(bboxes: BoxesLike) -> np.ndarray:
    """Convert boxes (N, 4) or (N, 5), or none at all, into a new array (N, 5), float32; a missing score becomes 1.

    Raises:
        InputError: They are no numbers or have another shape.
    """
    try:
        with np.errstate(over='ignore'):  # what float32 cannot hold becomes infinite, and is refused as such
            boxes = np.array(bboxes.detach().cpu() if isinstance(bboxes, Tensor) else bboxes, dtype=np.float32)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f'bboxes must be numbers of shape (N, 4) or (N, 5) ({shortened(error, str)})') from None
    if boxes.size == 0:
        return np.zeros((0, 5), np.float32)
    if boxes.ndim != 2 or boxes.shape[1] not in (4, 5):
        raise InputError(f'bboxes must have shape (N, 4) or (N, 5), not {boxes.shape}')
    return boxes if boxes.shape[1] == 5 else np.column_stack([boxes, np.ones(len(boxes), np.float32)])


def whole_image(image: np.ndarray) -> np.ndarray:
    """Make one box (1, 5), xyxy and score 1, around the image (h, w, 3)."""
    h, w = image.shape[:2]
    return np.array([[0, 0, w, h, 1]], dtype=np.float32)


def boxes_in_image(bboxes: BoxesLike | None, image: np.ndarray, bbox_format: str = 'xyxy') -> np.ndarray:
    """Convert boxes with :func:`as_boxes` and check them with :func:`check_boxes`.

    Args:
        bboxes (BoxesLike | None): As for :func:`as_boxes`; None makes one box around the image, as MMPose does.
        image (np.ndarray): (h, w, 3), the image that the boxes are for.
        bbox_format (str): ``'xyxy'`` or ``'xywh'``.

    Returns:
        np.ndarray: (N, 5), xyxy in pixels and score, float32.

    Raises:
        InputError: As for both.
    """
    boxes = as_boxes(whole_image(image) if bboxes is None else bboxes, 'xyxy' if bboxes is None else bbox_format)
    check_boxes(boxes, image.shape[:2])
    return boxes


def check_boxes(bboxes: BoxesLike, image_shape: Sequence[int]) -> None:
    """Check boxes (N, 4) or (N, 5) against the (h, w) of their image.

    Raises:
        InputError: They have another shape; or :func:`box_problem` finds something wrong with one.
    """
    for index, box in enumerate(with_scores(bboxes)):
        problem = box_problem(box, image_shape)
        if problem:
            raise InputError(f'box {index} {box.tolist()} {problem}')


def box_problem(box: np.ndarray, image_shape: Sequence[int]) -> str | None:
    """Say what is wrong with a box (x1, y1, x2, y2, ...) in an image of (h, w); None if nothing is.

    A box may be half outside the image and larger than it, but not lie outside it altogether, be more than
    :data:`LARGEST` times its longer side, or be narrower than :data:`NARROWEST` pixels: no crop could be cut. A box
    within the image's first pixel is one whose values are relative to the image.
    """
    (x1, y1, x2, y2), (h, w) = (float(value) for value in box[:4]), image_shape
    if not np.isfinite(box).all() or x2 <= x1 or y2 <= y1:
        return 'is not finite or has no positive width and height'
    if x2 <= 0 or y2 <= 0 or x1 >= w or y1 >= h:
        return f'lies outside the image of {w} x {h} pixels'
    if max(x2 - x1, y2 - y1) > LARGEST * max(h, w):
        return f'is more than {LARGEST} times as large as the image of {w} x {h} pixels'
    if x1 >= 0 and y1 >= 0 and x2 <= 1 and y2 <= 1 and max(h, w) > 1:
        return f'lies within the first pixel of {w} x {h}: boxes are expected in pixels, not relative to the image'
    if min(x2 - x1, y2 - y1) < NARROWEST:
        return f'is narrower or lower than {NARROWEST} pixels'
    return None
