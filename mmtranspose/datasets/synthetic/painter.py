"""A picture with a depth and an identity for every pixel, and how solids are shaded into it."""
from dataclasses import dataclass
from typing import Optional, Tuple

import numpy as np

from .shapes import Patch, Window
from .textures import blend, fractal, noise_window

NOTHING = -1


@dataclass(frozen=True)
class Material:
    """A surface: colours BGR in 0..255 and how the second is laid over the first.

    ``pattern`` is one of plain, rings, stripes, checks, blotches or dots; ``period`` is its size in metres and
    ``roughness`` the strength of the cloth's folds and grain.
    """
    color: Tuple[float, float, float]
    second: Tuple[float, float, float] = (0., 0., 0.)
    pattern: str = 'plain'
    period: float = .08
    roughness: float = .06


@dataclass(frozen=True)
class Light:
    """A distant lamp: unit direction towards it in the camera frame, and the shares of ambient and direct light."""
    direction: Tuple[float, float, float]
    ambient: float = .55
    direct: float = .55

    def shade(self, normal) -> np.ndarray:
        """Brightness factor for unit normals given as three (h, w) arrays; edges that turn away are darker."""
        lit = sum(n * np.float32(d) for n, d in zip(normal, self.direction))
        return (np.float32(self.ambient) + np.float32(self.direct) * np.maximum(lit, 0)) * (.78 - .22 * normal[2])


def pattern_weight(material: Material, along: np.ndarray, around: np.ndarray) -> Optional[np.ndarray]:
    """Share (h, w) of a material's second colour at surface coordinates in metres; ``None`` for a plain one."""
    a, b = along / np.float32(material.period), around / np.float32(material.period)
    if material.pattern == 'rings':
        return a % 1 < .45
    if material.pattern == 'stripes':
        return b % 1 < .45
    if material.pattern == 'checks':
        return .5 * (a % 1 < .5) + .5 * (b % 1 < .5)
    if material.pattern == 'dots':
        return (a % 1 - .5)**2 + (b % 1 - .5)**2 < .07
    if material.pattern == 'blotches':
        rows, columns = (a * 40).astype(np.int32) & 511, (b * 40 + 200).astype(np.int32) & 511
        return fractal()[rows, columns] > .2
    return None


class Layer:
    """Colour, depth and part buffers over a window of the picture.

    Args:
        window: (x0, y0, x1, y1) in pixels of the picture, the ends exclusive.
    """

    def __init__(self, window: Window):
        x0, y0, x1, y1 = self.window = window
        shape = (y1 - y0, x1 - x0)
        self.color = np.zeros((*shape, 3), np.float32)
        self.depth = np.full(shape, np.inf, np.float32)
        self.part = np.full(shape, NOTHING, np.int16)

    def view(self, window: Window) -> Tuple[slice, slice]:
        """Index of a window of the picture in this layer's arrays."""
        x0, y0, x1, y1 = window
        return slice(y0 - self.window[1], y1 - self.window[1]), slice(x0 - self.window[0], x1 - self.window[0])

    def put(self, window: Window, mask: np.ndarray, depth: np.ndarray, color: np.ndarray, part) -> None:
        """Write the pixels of ``mask`` (h, w) that are nearer than what is there.

        ``color`` is (h, w, 3) or (3,), ``part`` (h, w) or one number.
        """
        where = self.view(window)
        near = mask & (depth < self.depth[where])
        np.copyto(self.depth[where], depth, where=near)
        np.copyto(self.part[where], part, where=near, casting='same_kind')
        np.copyto(self.color[where], color, where=near[..., None])

    def paint(self, patch: Optional[Patch], material: Material, light: Light, part: int, rng: np.random.Generator,
              albedo: Optional[np.ndarray] = None) -> None:
        """Shade a patch and put it.

        Args:
            patch: What to draw; ``None`` draws nothing.
            material: Its surface.
            light: The lamp.
            part: Number to leave in the part buffer.
            rng: Places the cloth's folds.
            albedo: Colours (h, w, 3) to use instead of the material's.
        """
        if patch is None:
            return
        shade = light.shade(patch.normal)
        if material.roughness:
            shade = shade * (1 + np.float32(material.roughness) * noise_window(rng, shade.shape, fractal()))
        if albedo is None:
            weight = pattern_weight(material, patch.along, patch.around)
            albedo = np.float32(material.color) if weight is None else blend(material.color, material.second, weight)
        self.put(patch.window, patch.mask, patch.depth, shade[..., None] * albedo, part)

    def merge(self, other: 'Layer', offset: int) -> None:
        """Put another layer, its parts numbered from ``offset``; its window must lie inside this one's."""
        self.put(other.window, other.part != NOTHING, other.depth, other.color, other.part + np.int16(offset))
