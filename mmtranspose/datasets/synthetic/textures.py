"""Noise and patterns: the raw material of cloth, walls, ground and sky. Everything is cached and never random twice."""
from functools import lru_cache
from typing import Tuple

import cv2
import numpy as np

NOISE_SIZE = 512


@lru_cache(maxsize=None)
def grain() -> np.ndarray:
    """White noise (512, 512) float32, mean 0, deviation 1."""
    return np.random.default_rng(7).standard_normal((NOISE_SIZE, NOISE_SIZE), dtype=np.float32)


@lru_cache(maxsize=None)
def fractal(octaves: int = 5, seed: int = 11) -> np.ndarray:
    """Tileable multi-octave noise (512, 512) float32, mean 0, deviation 1; each finer octave weighs .6 as much."""
    rng, total = np.random.default_rng(seed), np.zeros((NOISE_SIZE, NOISE_SIZE), np.float32)
    for octave in range(octaves):
        cells = 4 << octave
        coarse = np.pad(rng.standard_normal((cells, cells), dtype=np.float32), 2, mode='wrap')
        fine = cv2.resize(coarse, None, fx=NOISE_SIZE / cells, fy=NOISE_SIZE / cells, interpolation=cv2.INTER_CUBIC)
        margin = 2 * NOISE_SIZE // cells
        total += .6**octave * fine[margin:margin + NOISE_SIZE, margin:margin + NOISE_SIZE]
    return (total - total.mean()) / total.std()


def noise_window(rng: np.random.Generator, shape: Tuple[int, int], texture: np.ndarray) -> np.ndarray:
    """A randomly placed (h, w) cut of a tileable texture, wrapped round where it is too small."""
    height, width = shape
    y, x = rng.integers(0, NOISE_SIZE, 2)
    if y + height <= NOISE_SIZE and x + width <= NOISE_SIZE:
        return texture[y:y + height, x:x + width]
    rows, columns = (y + np.arange(height)) % NOISE_SIZE, (x + np.arange(width)) % NOISE_SIZE
    return texture[rows[:, None], columns]


def sample_tile(texture: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Look a tileable texture up at float positions (h, w) in texels, nearest neighbour."""
    columns = x.astype(np.int32) & (NOISE_SIZE - 1)
    rows = y.astype(np.int32) & (NOISE_SIZE - 1)
    return texture[rows, columns]


def blend(first, second, weight: np.ndarray) -> np.ndarray:
    """Mix two colours (3,) by a weight (h, w) of the second; float32 (h, w, 3)."""
    first, second = np.asarray(first, np.float32), np.asarray(second, np.float32)
    return first + (second - first) * np.asarray(weight, np.float32)[..., None]
