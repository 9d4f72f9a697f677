"""What a visitor has painted over an image: strokes of a brush, and the pixels under them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np

from mmtranspose.errors import InputError

MOST_STROKES = 200
MOST_POINTS = 2000  # of a stroke
MOST_AT_ONCE = 8  # strokes that the page sends together: the newest one, and older ones that are not answered yet
LONGEST_TEXT = 300_000  # characters that describe them
LARGEST_RADIUS = 0.5


@dataclass(frozen=True)
class Stroke:
    """One movement of the brush. Lengths are shares, so that a stroke does not depend on how large the image is shown.

    Attributes:
        radius (float): Of the brush, as a share of the image's longer side; above 0, at most 0.5.
        points (tuple[tuple[float, float], ...]): (x, y), as shares of the image's width and height, from its left and
            upper edges; at least one.
        number (int): Its place among the strokes that the page has sent, from 1 on. Strokes that differ in it alone
            are equal.
    """

    radius: float
    points: tuple[tuple[float, float], ...]
    number: int = field(compare=False)


def read_strokes(text: object) -> tuple[str, list[Stroke]]:
    """Read strokes as the page sends them.

    Args:
        text (object): ``{"image": "1f", "strokes": [{"number": 1, "radius": 0.02, "points": [[0.5, 0.25], ...]}]}``.

    Returns:
        tuple[str, list[Stroke]]: Id of the session whose image they were painted on; the strokes.

    Raises:
        InputError: It is no such text, is too long, or a number is out of its range.
    """
    if not isinstance(text, str) or len(text) > LONGEST_TEXT:
        raise InputError(f'the strokes must be a text of at most {LONGEST_TEXT} characters: paint them again')
    try:
        sent = json.loads(text)
    except (ValueError, RecursionError):
        raise InputError('the strokes are not JSON: load the page anew and paint them again') from None
    if (
        not isinstance(sent, dict)
        or not isinstance(sent.get('image'), str)
        or not isinstance(sent.get('strokes'), list)
    ):
        raise InputError('the strokes must name their image: load the page anew and paint them again')
    if len(sent['strokes']) > MOST_AT_ONCE:
        raise InputError(f'at most {MOST_AT_ONCE} strokes can be sent at once: load the page anew and paint them again')
    return sent['image'], [_stroke(one) for one in sent['strokes']]


def _stroke(stroke: Any) -> Stroke:
    if not isinstance(stroke, dict) or set(stroke) != {'number', 'radius', 'points'}:
        raise InputError('a stroke must have number, radius and points: load the page anew and paint it again')
    number, radius, points = (stroke[name] for name in ('number', 'radius', 'points'))
    if not isinstance(number, int) or number < 1:
        raise InputError('the number of a stroke must count from 1: load the page anew and paint it again')
    if not (_is_share(radius) and 0 < radius <= LARGEST_RADIUS):
        raise InputError(f'the radius of the brush must be above 0 and at most {LARGEST_RADIUS} of the image')
    if not isinstance(points, list) or not 1 <= len(points) <= MOST_POINTS:
        raise InputError(f'a stroke must have from 1 to {MOST_POINTS} points: paint it in several strokes')
    return Stroke(float(radius), tuple(_point(point) for point in points), number)


def _is_share(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 1


def _point(point: Any) -> tuple[float, float]:
    if not isinstance(point, list) or len(point) != 2 or not all(_is_share(value) for value in point):
        raise InputError('each point of a stroke must be two numbers from 0 to 1: load the page anew and paint again')
    return float(point[0]), float(point[1])


def painted(strokes: Sequence[Stroke], size: tuple[int, int]) -> np.ndarray:
    """Find the pixels under strokes.

    Args:
        strokes (Sequence[Stroke]): In any order.
        size (tuple[int, int]): (h, w) of the image.

    Returns:
        np.ndarray: (h, w), bool.
    """
    mask = np.zeros(size, np.uint8)
    for stroke in strokes:
        # A share of 0 is the left edge of the first pixel, half a pixel before its middle.
        places = np.rint(np.array(stroke.points) * size[::-1] - 0.5)
        points = places.clip(0, np.array(size[::-1]) - 1).astype(np.int32)
        radius = max(0, round(stroke.radius * max(size)))
        cv2.polylines(mask, [points], False, (1,), max(1, 2 * radius))
        for point in points[[0, -1]]:
            cv2.circle(mask, point.tolist(), radius, (1,), cv2.FILLED)
    return mask.astype(bool)


def require_mask(mask: object, size: tuple[int, int]) -> np.ndarray:
    """Check that ``mask`` marks pixels of an image of ``size`` (h, w).

    Raises:
        InputError: It is no array of bool, or of another size.
    """
    if not isinstance(mask, np.ndarray) or mask.dtype != bool:
        found = mask.dtype if isinstance(mask, np.ndarray) else type(mask).__name__
        raise InputError(f'the painted mask must be an array of bool, not {found}')
    if mask.shape != tuple(size):
        raise InputError(f'the painted mask must have the size {tuple(size)} of the image, not {mask.shape}')
    return mask
