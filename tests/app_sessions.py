"""The people in the image of the app's tests, and strokes that are painted over them."""

from __future__ import annotations

import itertools
import json

import numpy as np

from mmtranspose.app import Session

BOXES = np.array([[20, 15, 120, 290, 0.9], [100.5, 30.25, 230, 300, 0.6], [30, 40, 80, 120, 0.2]], np.float32)
NUMBERS = itertools.count(1)  # of strokes, each higher than the one before


def stroke(
    session: Session | None, *points: tuple[float, float], radius: float = 0.05, number: int | None = None
) -> str:
    """Describe a stroke on a session's image as the page sends it; None: on no image, and the next number."""
    number = next(NUMBERS) if number is None else number
    return strokes(session, dict(number=number, radius=radius, points=points))


def strokes(session: Session | None, *described: object) -> str:
    """Describe several strokes as the page sends them."""
    return json.dumps(dict(image=session.id if session else '', strokes=described))
