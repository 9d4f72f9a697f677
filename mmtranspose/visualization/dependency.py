"""A dependency map over the crop that the network saw."""

from __future__ import annotations

import cv2
import numpy as np


def draw_dependency(
    crop: np.ndarray, dependency: np.ndarray, point: tuple[float, float], title: str, height: int = 384
) -> np.ndarray:
    """A map laid over the crop in colour, the keypoint marked, a title above.

    The map is scaled to its own maximum; the more a place weighs, the more of the colour shows.

    Args:
        crop (np.ndarray): (H, W, 3), BGR, uint8: the network's input.
        dependency (np.ndarray): (h, w), non-negative, over the token grid.
        point (tuple[float, float]): (x, y) of the keypoint, in pixels of the crop.
        title (str): Drawn above.
        height (int): Of the crop as drawn, in pixels.

    Returns:
        np.ndarray: BGR, uint8.
    """
    scale = height / crop.shape[0]
    size = (round(crop.shape[1] * scale), height)
    picture = cv2.resize(crop, size, interpolation=cv2.INTER_CUBIC)
    weight = cv2.resize(dependency.astype(np.float32), size, interpolation=cv2.INTER_CUBIC)
    weight = np.clip(weight / max(float(weight.max()), 1e-12), 0, 1)[..., None]
    grey = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    colour = cv2.applyColorMap((weight[..., 0] * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)
    drawn = (grey * (1 - 0.8 * np.sqrt(weight)) + colour * (0.8 * np.sqrt(weight))).astype(np.uint8)
    centre = (round(point[0] * scale), round(point[1] * scale))
    cv2.circle(drawn, centre, 7, (0, 0, 0), 3, cv2.LINE_AA)
    cv2.circle(drawn, centre, 7, (255, 255, 255), 2, cv2.LINE_AA)
    header = np.full((30, size[0], 3), 24, np.uint8)
    cv2.putText(header, title, (8, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255), 1, cv2.LINE_AA)
    return np.vstack([header, drawn])
