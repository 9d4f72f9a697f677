"""Encode maps, images and other data as text that a page can carry, and say what the page may do."""

from __future__ import annotations

import base64
import hashlib
import json

import cv2
import numpy as np

from mmtranspose.errors import InputError

LEVELS = 255


def quantise(maps: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Encode each value of maps as a byte, with square-root companding: small weights keep more digits.

    Most weights are small. A value is decoded as ``low + (high - low) * (code / 255) ** 2``. The error is at most
    (high - low) / 255 for the map's highest values, and (high - low) / 260100 for its lowest.

    Args:
        maps (np.ndarray): (..., h, w), finite.

    Returns:
        tuple: codes (..., h, w), uint8; low (...), the minimum of each map, or 0 where that is positive; high (...),
        the maximum of each map, at least ``low``.
    """
    maps = np.asarray(maps, np.float64)
    low = np.minimum(maps.min((-2, -1)), 0)
    high = np.maximum(maps.max((-2, -1)), low)
    extent = np.where(high > low, high - low, 1)[..., None, None]
    share = np.clip((maps - low[..., None, None]) / extent, 0, 1)
    return np.rint(LEVELS * np.sqrt(share)).astype(np.uint8), low, high


def packed_maps(name: str, maps: np.ndarray) -> dict:
    """Encode maps (L, heads, K, h, w) as the page's script decodes them.

    Raises:
        InputError: A value is not finite.
    """
    finite = np.isfinite(maps).all((-2, -1))
    if not finite.all():
        layer, _, keypoint = np.argwhere(~finite)[0]
        raise InputError(f'{name} of keypoint {keypoint}, layer {layer}, is not finite, so it cannot be drawn')
    codes, low, high = quantise(maps)
    return dict(
        name=name,
        shape=list(maps.shape[:3]),
        low=numbers(low.ravel()),
        high=numbers(high.ravel()),
        codes=base64.b64encode(codes.tobytes()).decode('ascii'),
    )


def packed_image(image: np.ndarray, longest: int | None = None, quality: int = 88) -> dict:
    """Encode an image as JPEG in a data URI, with its original size [w, h].

    Args:
        image (np.ndarray): (h, w, 3), BGR, uint8.
        longest (int | None): An image with a longer side is shrunk until that side has this many pixels.
        quality (int): JPEG quality, 0 to 100.
    """
    h, w = image.shape[:2]
    scale = min(1, (longest or max(h, w)) / max(h, w))
    if scale < 1:
        size = (max(1, round(w * scale)), max(1, round(h * scale)))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    _, jpeg = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return dict(src='data:image/jpeg;base64,' + base64.b64encode(jpeg.tobytes()).decode('ascii'), size=[w, h])


def numbers(values: np.ndarray) -> list:
    """Round an array to seven digits as nested lists of floats; None stands for NaN and infinity, which JSON lacks."""
    return [numbers(value) if np.ndim(value) else number(value) for value in values]


def number(value: float) -> float | None:
    """Round a number to seven digits; None for NaN and infinity."""
    return float(f'{value:.7g}') if np.isfinite(value) else None


def embedded_json(value: object) -> str:
    """Encode as JSON that cannot end the HTML element around it: ASCII, without characters that HTML interprets."""
    text = json.dumps(value, separators=(',', ':'), allow_nan=False)
    for character in '<>&':
        text = text.replace(character, f'\\u{ord(character):04x}')
    return text


def content_policy(style: str, script: str) -> str:
    """A content security policy under which nothing is fetched and only this style and this script apply."""
    rules = ["default-src 'none'", "base-uri 'none'", "form-action 'none'", 'img-src data:']
    for name, text in (('style-src', style), ('script-src', script)):
        digest = base64.b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode('ascii')
        rules.append(f"{name} 'sha256-{digest}'")
    return '; '.join(rules)
