"""Noise, patterns, and flat surfaces in perspective that carry them: floors, walls and what hangs on walls."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import cv2
import numpy as np

from mmtranspose.datasets.synthetic.pinhole_camera import Camera

Points = np.ndarray | Sequence[Sequence[float]]
ColorLike = np.ndarray | Sequence[float]  # BGR, 0..255

NOISE_SIZE = 512
_EXTENT = 1280  # textures are stored repeated up to this size, so that windows for usual images need no wrapping


def _repeated(tile: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(np.tile(tile, (3, 3))[:_EXTENT, :_EXTENT])


@cache
def grain() -> np.ndarray:
    """White noise, float32, with mean 0 and deviation 1; it repeats every 512 texels."""
    return _repeated(np.random.default_rng(7).standard_normal((NOISE_SIZE, NOISE_SIZE), dtype=np.float32))


@cache
def fractal(first: int = 4, octaves: int = 6, seed: int = 11) -> np.ndarray:
    """Noise of several octaves, float32, with mean 0 and deviation 1; it repeats every 512 texels.

    The coarsest octave is ``first`` cells wide; each finer octave has 0.6 times the weight.
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
    """Cut a window (h, w) at a random place out of :func:`grain` or :func:`fractal`, repeated where needed."""
    height, width = shape
    y, x = rng.integers(0, NOISE_SIZE, 2)
    below, beyond = max(y + height - _EXTENT, 0), max(x + width - _EXTENT, 0)
    if below or beyond:
        texture = cv2.copyMakeBorder(
            texture[:1024, :1024], 0, below + _EXTENT - 1024, 0, beyond + _EXTENT - 1024, cv2.BORDER_WRAP
        )
    return texture[y : y + height, x : x + width]


def blend(first: ColorLike, second: ColorLike, weight: np.ndarray) -> np.ndarray:
    """Mix two colours (3,) by the weight of the second, uint8 (h, w) in 0..255; returns uint8 (h, w, 3)."""
    share = np.arange(256)[:, None] / 255
    table = np.clip(np.asarray(first) * (1 - share) + np.asarray(second) * share, 0, 255).astype(np.uint8)
    return cv2.LUT(cv2.merge([weight] * 3), table[None])


def byte(share: np.ndarray) -> np.ndarray:
    """Convert shares in 0..1 to uint8 in 0..255, clipped."""
    return cv2.convertScaleAbs(np.maximum(share, 0, dtype=np.float32), alpha=255)


def brightened(image: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """Multiply an image (h, w, 3), uint8 or float32, by a float32 factor (h, w); returns float32."""
    factor = cv2.cvtColor(np.ascontiguousarray(factor, np.float32), cv2.COLOR_GRAY2BGR)
    return cv2.multiply(image, factor, dtype=cv2.CV_32F)


def foliage(rng: np.random.Generator, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Draw a ragged mass of leaves that fills a rectangle (h, w).

    Returns:
        Where there are leaves, bool (h, w), and their brightness factor, float32 (h, w).
    """
    height, width = shape
    y, x = np.linspace(-1, 1, height, dtype=np.float32)[:, None], np.linspace(-1, 1, width, dtype=np.float32)
    leaves = noise_window(rng, shape, fractal(16, 5, 5))
    mask = x * x + y * y + 0.22 * leaves < 0.75
    return mask, np.clip(0.85 + 0.22 * noise_window(rng, shape, fractal(32, 4, 3)) - 0.35 * y - 0.15 * x, 0.2, 1.6)


PATTERNS = ('plain', 'tiles', 'grout', 'planks', 'bricks', 'stripes', 'panels', 'dots', 'rough')


@cache
def pattern(name: str) -> np.ndarray:
    """A pattern as the share of its second colour: (512, 512), uint8, tileable; one metre is about 128 texels."""
    y, x = np.mgrid[0:NOISE_SIZE, 0:NOISE_SIZE].astype(np.float32) / 128
    row = np.floor(y * 8)
    weight = {
        'plain': lambda: np.zeros_like(x),
        'rough': lambda: 0.5 + 0.3 * fractal(16, 5, 2)[:NOISE_SIZE, :NOISE_SIZE],
        'tiles': lambda: (np.floor(x * 2) + np.floor(y * 2)) % 2,
        'grout': lambda: (x * 2 % 1 < 0.04) | (y * 2 % 1 < 0.04),
        'planks': lambda: (
            0.5
            + 0.25 * grain()[np.int32(x * 8), np.int32(y * 0.5 + x * 8 % 3)]
            + 0.12 * fractal(4, 4)[np.int32(y * 20), np.int32(x * 127)]
        ),
        'bricks': lambda: (y * 8 % 1 < 0.13) | ((x * 4 + 0.5 * (row % 2)) % 1 < 0.06),
        'stripes': lambda: x * 4 % 1 < 0.5,
        'panels': lambda: (x % 1 < 0.03) | (y % 1 < 0.03),
        'dots': lambda: (x * 4 % 1 - 0.5) ** 2 + (y * 4 % 1 - 0.5) ** 2 < 0.06,
    }[name]()
    tile = slice(NOISE_SIZE), slice(NOISE_SIZE)
    return byte(0.12 + 0.76 * np.float32(weight) + 0.05 * fractal()[tile] + 0.03 * grain()[tile])


class Surface(NamedTuple):
    """A flat surface in the world: a point (3,) in metres, and the unit directions (3,) right and up."""

    camera: Camera
    origin: np.ndarray
    right: np.ndarray
    up: np.ndarray

    def project(self, points: Points) -> np.ndarray:
        """Project surface points (n, 2) in metres to pixels (n, 2); all must be in front of the camera."""
        x, y = np.hsplit(np.asarray(points, float), 2)
        world = self.origin + x * self.right + y * self.up
        return self.camera.project(self.camera.to_camera(world))

    def cover(
        self,
        image: np.ndarray,
        mask: np.ndarray,
        name: str,
        colors: tuple[ColorLike, ColorLike],
        scale: float,
        shade: float = 1.0,
    ) -> None:
        """Paint a pattern where ``mask`` (uint8) is set, in place; ``scale`` magnifies it, and ``shade`` dims it."""
        x, y, width, height = cv2.boundingRect(mask)
        if not width:
            return
        shift = np.array(((1.0, 0, -x), (0, 1.0, -y), (0, 0, 1.0)))
        view = shift @ self.camera.plane_view(self.origin, self.right, self.up, 128 / scale)
        weight = cv2.warpPerspective(
            pattern(name), view, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP
        )
        where = slice(y, y + height), slice(x, x + width)
        first, second = (np.asarray(color) * shade for color in colors)
        cv2.copyTo(blend(first, second, weight), mask[where], image[where])

    def patch(self, image: np.ndarray, corners: Points, color: ColorLike) -> None:
        """Fill a polygon given in metres on the surface, in place."""
        fill_polygon(image, self.project(corners), color)

    def outline(self, left: float, right: float, bottom: float, top: float) -> np.ndarray:
        """Mask (h, w) uint8 of a rectangle given in metres on the surface."""
        mask = np.zeros(self.camera.size[::-1], np.uint8)
        fill_polygon(mask, self.project(rectangle(left, right, bottom, top)), (255,))
        return mask


def rectangle(left: float, right: float, bottom: float, top: float) -> tuple[tuple[float, float], ...]:
    """The four corners (x, y) of a rectangle, in order."""
    return (left, bottom), (right, bottom), (right, top), (left, top)


def fill_polygon(image: np.ndarray, points: Points, color: ColorLike) -> None:
    """Fill a polygon (n, 2) in pixels, with smooth edges, in place."""
    corners = (np.clip(np.asarray(points), -9000, 9000) * 16).astype(np.int32)
    cv2.fillPoly(image, [corners], tuple(float(c) for c in color), cv2.LINE_AA, 4)


def ground_surface(camera: Camera) -> Surface:
    """The ground under the camera; its second coordinate runs away from it."""
    return Surface(camera, np.zeros(3), np.array((1.0, 0, 0)), np.array((0, 0, -1.0)))


def wall_surface(camera: Camera, x: float, distance: float, turn: float) -> Surface:
    """A wall that stands on the ground at world (x, 0, -distance), turned by ``turn`` degrees about the vertical."""
    cos, sin = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    return Surface(camera, np.array((x, 0, -distance)), np.array((cos, 0, -sin)), np.array((0, 1.0, 0)))


def paint_ground(
    image: np.ndarray,
    camera: Camera,
    name: str,
    colors: tuple[ColorLike, ColorLike],
    scale: float,
    haze: np.ndarray | None = None,
) -> None:
    """Paint the ground up to the horizon, in place; far away it fades into the colour ``haze``."""
    width, height = camera.size
    turn = camera.rotation.T
    u = (np.arange(width, dtype=np.float32) - np.float32(camera.centre[0])) * np.float32(-turn[1, 0] / camera.focal)
    v = (np.arange(height, dtype=np.float32) - np.float32(camera.centre[1])) * np.float32(-turn[1, 1] / camera.focal)
    down = u + v[:, None] - np.float32(turn[1, 2])  # slope of the pixel's ray below the horizontal
    ground_surface(camera).cover(image, (down > 1e-3).view(np.uint8) * 255, name, colors, scale)
    if haze is not None:
        fade = np.float32(0.7) - down * np.float32(12 / camera.height)
        rows = np.flatnonzero(((fade > 0) & (down > 0)).any(1))
        band = slice(rows[0], rows[-1] + 1) if rows.size else slice(0)
        weight = np.where(down[band] > 0, np.clip(fade[band], 0, 0.7), 0)[..., None]
        image[band] = image[band] * (1 - weight) + np.float32(haze) * weight
