"""Weights as colours over an image: the same for figures and overlays."""

from __future__ import annotations

import cv2
import matplotlib
import numpy as np

COLOURS = matplotlib.colormaps['plasma'](np.linspace(0.1, 1, 256))[:, 2::-1].astype(np.float32) * 255  # BGR
OPACITY = 0.85
GROWTH = 0.6  # of opacity with the weight: as this power of it
DARKEST, CONTRAST = 30, 0.6  # of an image in grey, so that colours stand out from black and white alike
MIDDLE_GREY = DARKEST + round(CONTRAST * 128)


def heat(
    weights: np.ndarray, top: float, threshold: float | None = None, opacity: float = OPACITY
) -> tuple[np.ndarray, np.ndarray]:
    """Colours of weights, and how much of them shows.

    Colour is linear in the weight, from 0 to ``top``; opacity grows with it, so that the image stays visible where
    little lies. Nothing shows of weights that are not positive or not numbers.

    Args:
        weights (np.ndarray): (...).
        top (float): The weight that gets the last colour; higher ones get it too.
        threshold (float | None): Weights at or below it do not show (the TransPose authors suggest 0.01).
        opacity (float): At ``top``, 0 to 1.

    Returns:
        tuple: colours (..., 3), BGR, 0 to 255; opacities (..., 1), 0 to ``opacity``; float32.
    """
    weights = np.asarray(weights, np.float32)
    shown = weights > max(threshold or 0.0, 0.0)
    value = np.where(shown, np.clip(weights / top if top > 0 else 0 * weights, 0, 1), 0)
    index = np.minimum((value * len(COLOURS)).astype(int), len(COLOURS) - 1)
    return COLOURS[index], np.float32(opacity) * value[..., None] ** np.float32(GROWTH)


def laid_over(picture: np.ndarray, colours: np.ndarray, opacities: np.ndarray) -> np.ndarray:
    """Colours (h, w, 3) over an image (h, w, 3), uint8, by opacities (h, w, 1)."""
    return np.rint(picture * (1 - opacities) + colours * opacities).astype(np.uint8)


def in_grey(picture: np.ndarray) -> np.ndarray:
    """The image (h, w, 3), BGR, uint8, without its colours and with less contrast: a ground for heat."""
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    return cv2.cvtColor(np.rint(DARKEST + CONTRAST * grey).astype(np.uint8), cv2.COLOR_GRAY2BGR)


def top_of(maps: np.ndarray) -> float:
    """The highest weight of maps: where their colour scale ends. 0 where there is none."""
    finite = maps[np.isfinite(maps)]
    return max(float(finite.max()), 0.0) if finite.size else 0.0
