"""Maps and images as text that a page can carry."""

from __future__ import annotations

import base64

import cv2
import numpy as np

LEVELS = 255


def quantise(maps: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A byte for each value, with square-root companding: small weights, of which there are most, keep more digits.

    A value is read back as ``low + (high - low) * (code / 255) ** 2``. It is then off by at most (high - low) / 255 at
    the map's top, and by (high - low) / 260100 at its bottom.

    Args:
        maps (np.ndarray): (..., h, w), finite.

    Returns:
        tuple: codes (..., h, w), uint8; low (...), 0 or the map's minimum where that is negative; high (...), the map's
        maximum, at least ``low``.
    """
    maps = np.asarray(maps, np.float64)
    low = np.minimum(maps.min((-2, -1)), 0)
    high = np.maximum(maps.max((-2, -1)), low)
    extent = np.where(high > low, high - low, 1)[..., None, None]
    share = np.clip((maps - low[..., None, None]) / extent, 0, 1)
    return np.rint(LEVELS * np.sqrt(share)).astype(np.uint8), low, high


def packed_maps(name: str, maps: np.ndarray) -> dict:
    """Maps (L, heads, K, h, w) as the page takes them.

    Raises:
        ValueError: A value is not finite.
    """
    finite = np.isfinite(maps).all((-2, -1))
    if not finite.all():
        layer, _, keypoint = np.argwhere(~finite)[0]
        raise ValueError(f'{name} of keypoint {keypoint}, layer {layer}, is not finite, so it cannot be drawn')
    codes, low, high = quantise(maps)
    return dict(
        name=name,
        shape=list(maps.shape[:3]),
        low=numbers(low.ravel()),
        high=numbers(high.ravel()),
        codes=base64.b64encode(codes.tobytes()).decode('ascii'),
    )


def packed_image(image: np.ndarray, longest: int | None = None, quality: int = 88) -> dict:
    """An image (h, w, 3), BGR, uint8, as JPEG in a data URI, with the size [w, h] that it had.

    Args:
        image (np.ndarray): The image.
        longest (int | None): Longer sides are shrunk to this many pixels.
        quality (int): JPEG's, 0 to 100.
    """
    h, w = image.shape[:2]
    scale = min(1, (longest or max(h, w)) / max(h, w))
    if scale < 1:
        size = (max(1, round(w * scale)), max(1, round(h * scale)))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    _, jpeg = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return dict(src='data:image/jpeg;base64,' + base64.b64encode(jpeg.tobytes()).decode('ascii'), size=[w, h])


def numbers(values: np.ndarray) -> list:
    """Nested lists of floats with seven digits; None for what is not finite, which JSON cannot say."""
    if np.ndim(values):
        return [numbers(value) for value in values]
    return float(f'{values:.7g}') if np.isfinite(values) else None
