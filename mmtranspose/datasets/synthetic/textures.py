"""Noise and patterns: the raw material of cloth, walls, ground, leaves and sky."""

from functools import cache

import cv2
import numpy as np

NOISE_SIZE = 512
_EXTENT = 1280  # textures are kept repeated this far, so that windows of usual images need no wrapping


def _repeated(tile: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(np.tile(tile, (3, 3))[:_EXTENT, :_EXTENT])


@cache
def grain() -> np.ndarray:
    """White noise, float32, mean 0, deviation 1; repeats every 512 texels."""
    return _repeated(np.random.default_rng(7).standard_normal((NOISE_SIZE, NOISE_SIZE), dtype=np.float32))


@cache
def fractal(first: int = 4, octaves: int = 6, seed: int = 11) -> np.ndarray:
    """Multi-octave noise, float32, mean 0, deviation 1; repeats every 512 texels.

    ``first`` cells across in the coarsest octave; each finer octave weighs .6 as much.
    """
    rng, total = np.random.default_rng(seed), np.zeros((NOISE_SIZE, NOISE_SIZE), np.float32)
    for octave in range(octaves):
        cells = first << octave
        coarse = np.pad(rng.standard_normal((cells, cells), dtype=np.float32), 2, mode='wrap')
        fine = cv2.resize(coarse, None, fx=NOISE_SIZE / cells, fy=NOISE_SIZE / cells, interpolation=cv2.INTER_CUBIC)
        margin = 2 * NOISE_SIZE // cells
        total += 0.6**octave * fine[margin : margin + NOISE_SIZE, margin : margin + NOISE_SIZE]
    return _repeated((total - total.mean()) / total.std())


def noise_window(rng: np.random.Generator, shape: tuple[int, int], texture: np.ndarray) -> np.ndarray:
    """A randomly placed (h, w) cut of :func:`grain` or :func:`fractal`, wrapped round where it is too small."""
    height, width = shape
    y, x = rng.integers(0, NOISE_SIZE, 2)
    below, beyond = max(y + height - _EXTENT, 0), max(x + width - _EXTENT, 0)
    if below or beyond:
        texture = cv2.copyMakeBorder(
            texture[:1024, :1024], 0, below + _EXTENT - 1024, 0, beyond + _EXTENT - 1024, cv2.BORDER_WRAP
        )
    return texture[y : y + height, x : x + width]


def blend(first, second, weight: np.ndarray) -> np.ndarray:
    """Mix two colours (3,) by a weight (h, w) of the second, uint8 in 0..255; uint8 (h, w, 3)."""
    share = np.arange(256)[:, None] / 255
    table = np.clip(np.asarray(first) * (1 - share) + np.asarray(second) * share, 0, 255).astype(np.uint8)
    return cv2.LUT(cv2.merge([weight] * 3), table[None])


def byte(share: np.ndarray) -> np.ndarray:
    """A share in 0..1 as uint8 in 0..255, clipped."""
    return cv2.convertScaleAbs(np.maximum(share, 0, dtype=np.float32), alpha=255)


def brightened(image: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """An image (h, w, 3), uint8 or float32, times a float32 factor (h, w); float32."""
    factor = cv2.cvtColor(np.ascontiguousarray(factor, np.float32), cv2.COLOR_GRAY2BGR)
    return cv2.multiply(image, factor, dtype=cv2.CV_32F)


def foliage(rng: np.random.Generator, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """A ragged mass of leaves that fills a rectangle (h, w).

    Returns:
        Where there are leaves, bool (h, w), and their brightness factor, float32 (h, w).
    """
    height, width = shape
    y, x = np.linspace(-1, 1, height, dtype=np.float32)[:, None], np.linspace(-1, 1, width, dtype=np.float32)
    leaves = noise_window(rng, shape, fractal(16, 5, 5))
    mask = x * x + y * y + 0.22 * leaves < 0.75
    return mask, np.clip(0.85 + 0.22 * noise_window(rng, shape, fractal(32, 4, 3)) - 0.35 * y - 0.15 * x, 0.2, 1.6)
