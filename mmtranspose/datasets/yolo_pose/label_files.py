"""Read label files of Ultralytics YOLO: one line for each person, in shares of the image's width and height.

A line holds ``class cx cy w h`` and for each keypoint ``x y`` or ``x y flag``.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

from mmtranspose.datasets.yolo_pose.data_yaml import PoseData

FLAGS = (0, 1, 2)
SLACK = 0.01  # as far as Ultralytics lets coordinates leave the image, in shares of its size
DIGITS = 3  # of pixels: more than the six digits of a share give


class LabelledPerson(NamedTuple):
    """A person of a label file, in pixels of the image.

    Attributes:
        number (int): Of the class.
        bbox (list[float]): x, y, width, height.
        keypoints (list[float]): x, y and flag for each keypoint, flat; flags are 0 (not labelled), 1 (occluded) and 2
            (visible).
    """

    number: int
    bbox: list[float]
    keypoints: list[float]


class _Refused(Exception):
    """A line cannot be used; the text is the reason."""


def label_file(image: Path) -> Path:
    """The label file of an image: the last ``images`` among its folders becomes ``labels``, its suffix ``.txt``."""
    parts = list(image.parts)
    folders = [number for number, part in enumerate(parts[:-1]) if part == 'images']
    if folders:
        parts[folders[-1]] = 'labels'
    return Path(*parts).with_suffix('.txt')


def read_people(path: Path, size: tuple[int, int], data: PoseData) -> tuple[list[LabelledPerson], list[str]]:
    """Read the people of an image.

    Args:
        path (Path): The label file; an image without one shows nobody.
        size (tuple[int, int]): Width and height of the image, in pixels.
        data (PoseData): Its classes and keypoints.

    Returns:
        tuple: The people, and a sentence for each line that cannot be used.
    """
    try:
        text = path.read_text(encoding='utf-8-sig')
    except FileNotFoundError:
        return [], []
    except (OSError, ValueError) as error:
        return [], [f'{path} cannot be read: {getattr(error, "strerror", None) or "it is not text"}']
    lines = {number: line.split() for number, line in enumerate(text.splitlines(), 1) if line.strip()}
    found = {number: _person_or_reason(words, size, data) for number, words in lines.items()}
    people = [one for one in found.values() if isinstance(one, LabelledPerson)]
    return people, [f'{path} line {number}: {one}' for number, one in found.items() if isinstance(one, _Refused)]


def _person_or_reason(words: list[str], size: tuple[int, int], data: PoseData) -> LabelledPerson | _Refused:
    try:
        return _person(words, size, data)
    except _Refused as reason:
        return reason


def _person(words: list[str], size: tuple[int, int], data: PoseData) -> LabelledPerson:
    wanted = 5 + data.dims * len(data.names)
    if len(words) != wanted:
        raise _Refused(f'{len(words)} numbers; 5 + {len(data.names)} x {data.dims} = {wanted} are expected')
    number, cx, cy, w, h, *flat = _numbers(words)
    if number not in data.classes:
        raise _Refused(f'class {number:g} is not in names of data.yaml')
    if not (0 < w <= 1 + SLACK and 0 < h <= 1 + SLACK):
        raise _Refused(f'the box is {w:g} x {h:g}; shares of the image, above 0 and up to 1, are expected')
    box = _pixels(cx - w / 2, size[0]), _pixels(cy - h / 2, size[1]), _pixels(w, size[0]), _pixels(h, size[1])
    points = [flat[k : k + data.dims] for k in range(0, len(flat), data.dims)]
    return LabelledPerson(int(number), list(box), [value for point in points for value in _keypoint(point, size)])


def _numbers(words: list[str]) -> list[float]:
    try:
        numbers = [float(word) for word in words]
    except ValueError as error:
        raise _Refused(str(error)) from None
    if not all(map(math.isfinite, numbers)):
        raise _Refused('a number is not finite')
    return numbers


def _pixels(share: float, length: int) -> float:
    return round(share * length, DIGITS)


def _keypoint(point: list[float], size: tuple[int, int]) -> tuple[float, float, int]:
    """x and y in pixels, and the flag. Without flags, (0, 0) and negative coordinates stand for "not labelled"."""
    x, y = point[:2]
    flag = point[2] if len(point) == 3 else 2 * (min(x, y) >= 0 and max(x, y) > 0)
    if flag not in FLAGS:
        raise _Refused(f'flag {flag:g} of a keypoint; 0, 1 or 2 is expected')
    if flag == 0:
        return 0, 0, 0
    if not all(-SLACK <= value <= 1 + SLACK for value in (x, y)):
        raise _Refused(f'keypoint at {x:g}, {y:g}; shares of the image, 0 to 1, are expected')
    return _pixels(x, size[0]), _pixels(y, size[1]), int(flag)
