"""Numbers and colours of people who are followed from frame to frame."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence

import cv2
import numpy as np
from mmpose.structures import PoseDataSample

GOLDEN = 0.618033988749895  # steps of this share of a circle spread any number of hues evenly
BLACK = (0, 0, 0)


def track_colour(track_id: int) -> tuple[int, int, int]:
    """The colour (B, G, R) of a track: the same in every frame, and unlike its neighbours'."""
    red, green, blue = colorsys.hsv_to_rgb(track_id * GOLDEN % 1, 0.65, 1.0)
    return round(255 * blue), round(255 * green), round(255 * red)


def draw_tracks(image: np.ndarray, samples: Sequence[PoseDataSample]) -> None:
    """Draw people's boxes in the colour of their track, with its number above the left corner, or in it at the top.

    Args:
        image (np.ndarray): (h, w, 3), BGR, uint8; drawn on.
        samples (Sequence[PoseDataSample]): One a person, with ``track_id`` (an int).
    """
    size = max(image.shape[:2])
    stroke, scale = max(1, round(size / 500)), max(0.4, size / 1600)
    for sample in samples:
        colour = track_colour(sample.track_id)
        x1, y1, x2, y2 = (int(value) for value in np.rint(sample.pred_instances.bboxes[0]))
        cv2.rectangle(image, (x1, y1), (x2, y2), colour, stroke)
        _draw_label(image, str(sample.track_id), (max(x1, 0), y1), colour, scale, stroke)


def _draw_label(
    image: np.ndarray, text: str, corner: tuple[int, int], colour: tuple[int, int, int], scale: float, stroke: int
) -> None:
    """Black letters on a strip of the colour on top of a point, or below it where there is no room."""
    (width, height), below = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, stroke)
    (x, y), margin = corner, below // 2 + 1
    strip = height + 2 * margin
    y = y - strip if y >= strip else max(y, 0)
    cv2.rectangle(image, (x, y), (x + width + 2 * margin, y + strip), colour, cv2.FILLED)
    place = (x + margin, y + height + margin)
    cv2.putText(image, text, place, cv2.FONT_HERSHEY_SIMPLEX, scale, BLACK, stroke, cv2.LINE_AA)
