"""Draw weights as colours over an image, in the same way for figures, overlays and pages."""

from __future__ import annotations

import cv2
import matplotlib
import numpy as np

COLOURS = matplotlib.colormaps['plasma'](np.linspace(0.1, 1, 256))[:, 2::-1].astype(np.float32) * 255  # BGR
OPACITY = 0.85
GROWTH = 0.6  # opacity grows as this power of the weight
DARKEST, CONTRAST = 30, 0.6  # of an image in grey, so that colours stand out from black and white alike
MIDDLE_GREY = DARKEST + round(CONTRAST * 128)


def heat(
    weights: np.ndarray, top: float, threshold: float | None = None, opacity: float = OPACITY
) -> tuple[np.ndarray, np.ndarray]:
    """The colour and the opacity of weights.

    The colour is linear in the weight, from 0 to ``top``. The opacity grows with the weight, so that the image stays
    visible under small weights. Weights that are NaN, zero or negative are transparent.

    Args:
        weights (np.ndarray): (...).
        top (float): The weight that gets the last colour; higher weights get the last colour too.
        threshold (float | None): Weights at or below it are transparent (the TransPose authors suggest 0.01).
        opacity (float): Opacity of weight ``top``, 0 to 1.

    Returns:
        tuple: colours (..., 3), BGR, 0 to 255; opacities (..., 1), 0 to ``opacity``; float32.
    """
    weights = np.asarray(weights, np.float32)
    shown = weights > max(threshold or 0.0, 0.0)
    value = np.where(shown, np.clip(weights / top if top > 0 else 0 * weights, 0, 1), 0)
    index = np.minimum((value * len(COLOURS)).astype(int), len(COLOURS) - 1)
    return COLOURS[index], np.float32(opacity) * value[..., None] ** np.float32(GROWTH)


def laid_over(image: np.ndarray, colours: np.ndarray, opacities: np.ndarray) -> np.ndarray:
    """Blend colours (h, w, 3) over an image (h, w, 3), uint8, by their opacities (h, w, 1)."""
    return np.rint(image * (1 - opacities) + colours * opacities).astype(np.uint8)


def in_grey(image: np.ndarray) -> np.ndarray:
    """The image (h, w, 3), BGR, uint8, without colours and with less contrast: a background for :func:`heat`."""
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    return cv2.cvtColor(np.rint(DARKEST + CONTRAST * grey).astype(np.uint8), cv2.COLOR_GRAY2BGR)


def top_of(maps: np.ndarray) -> float:
    """The highest finite weight of maps, where their colour scale ends; at least 0."""
    finite = maps[np.isfinite(maps)]
    return max(float(finite.max()), 0.0) if finite.size else 0.0
