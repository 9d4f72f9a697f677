"""Paint rasterised solids into a layer that keeps a depth and a part number for every pixel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from mmtranspose.datasets.synthetic.shapes import Patch, Window
from mmtranspose.datasets.synthetic.surfaces import fractal, noise_window

NOTHING = -1

Color = tuple[float, float, float]  # BGR, 0..255
Tones = np.ndarray | np.uint8  # palette numbers: (h, w), uint8, or one for all pixels


@dataclass(frozen=True)
class Material:
    """A surface: two colours (BGR, 0..255), the pattern in which the second lies over the first, and folds.

    ``pattern`` is one of plain, rings, stripes, checks, blotches or dots; ``period`` is its size in metres, and
    ``roughness`` the strength of folds and grain.
    """

    color: Color
    second: Color = (0.0, 0.0, 0.0)
    pattern: str = 'plain'
    period: float = 0.08
    roughness: float = 0.06


@dataclass(frozen=True)
class Light:
    """A distant lamp: the unit direction towards it in the camera frame, and the shares of ambient and direct light."""

    direction: tuple[float, float, float]
    ambient: float = 0.55
    direct: float = 0.55

    def shade(self, normal: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
        """Brightness factors (h, w) for unit normals given as three (h, w) arrays; edges that turn away are darker."""
        x, y, z = (np.float32(self.direct * d) for d in self.direction)
        lit = normal[0] * x
        lit += normal[1] * y
        lit += normal[2] * z
        np.maximum(lit, 0, out=lit)
        lit += np.float32(self.ambient)
        lit *= np.float32(0.78) - np.float32(0.22) * normal[2]
        return lit


def pattern_steps(material: Material, along: np.ndarray | None, around: np.ndarray | None) -> np.ndarray | None:
    """Find how much of a material's second colour shows at surface coordinates in metres.

    Returns:
        (h, w): 0, 1 or 2 halves; ``None`` for a plain material.
    """
    if material.pattern == 'plain':
        return None
    assert along is not None and around is not None, 'a patch without surface coordinates is for plain materials'
    a, b = along / np.float32(material.period), around / np.float32(material.period)
    if material.pattern == 'rings':
        return 2 * (a % 1 < 0.45)
    if material.pattern == 'stripes':
        return 2 * (b % 1 < 0.45)
    if material.pattern == 'checks':
        return (a % 1 < 0.5).astype(np.int8) + (b % 1 < 0.5)
    if material.pattern == 'dots':
        return 2 * ((a % 1 - 0.5) ** 2 + (b % 1 - 0.5) ** 2 < 0.07)
    if material.pattern == 'blotches':
        rows, columns = (a * 40).astype(np.int32) & 511, (b * 40 + 200).astype(np.int32) & 511
        return 2 * (fractal()[rows, columns] > 0.2)
    raise ValueError(f'unknown pattern {material.pattern!r} of a Material')


class Layer:
    """Buffers of depth, part number, brightness and colour number over a window of the image.

    Args:
        window: (x0, y0, x1, y1) in pixels of the image, the ends exclusive.
    """

    def __init__(self, window: Window):
        x0, y0, x1, y1 = self.window = window
        shape = (y1 - y0, x1 - x0)
        self.depth = np.full(shape, np.inf, np.float32)
        self.part = np.full(shape, NOTHING, np.int16)
        self.shade = np.zeros(shape, np.float32)
        self.tone = np.zeros(shape, np.uint8)  # an image has far fewer than 256 colours
        self._tones: dict[tuple[Color, float], int] = {((0.0, 0.0, 0.0), 0.0): 0}

    def tone_of(self, color: Color | np.ndarray, roughness: float = 0.0) -> np.uint8:
        """The number of a colour (BGR, 0..255) with a given roughness in this layer's palette."""
        blue, green, red = map(float, color)
        return np.uint8(self._tones.setdefault(((blue, green, red), float(roughness)), len(self._tones)))

    def view(self, window: Window) -> tuple[slice, slice]:
        """Index of a window of the image in this layer's arrays."""
        x0, y0, x1, y1 = window
        return slice(y0 - self.window[1], y1 - self.window[1]), slice(x0 - self.window[0], x1 - self.window[0])

    def put(
        self,
        window: Window,
        mask: np.ndarray,
        depth: np.ndarray,
        part: np.ndarray | int,
        shade: np.ndarray,
        tone: Tones,
    ) -> None:
        """Write the pixels of ``mask`` (h, w) that are nearer than those that are there.

        ``part`` and ``tone`` are (h, w), or one number for all pixels.
        """
        where = self.view(window)
        near = depth < self.depth[where]
        near &= mask
        for buffer, value in ((self.depth, depth), (self.part, part), (self.shade, shade), (self.tone, tone)):
            np.copyto(buffer[where], value, where=near, casting='same_kind')

    def material_tones(self, material: Material, along: np.ndarray | None, around: np.ndarray | None) -> Tones:
        """Palette numbers of a material at surface coordinates (h, w) in metres: (h, w), or one number if plain."""
        steps = pattern_steps(material, along, around)
        if steps is None:
            return self.tone_of(material.color, material.roughness)
        mixed = np.add(material.color, material.second) / 2
        tones = [self.tone_of(color, material.roughness) for color in (material.color, mixed, material.second)]
        return np.array(tones, np.uint8)[steps]

    def paint(
        self, patch: Patch | None, material: Material, light: Light, part: int, tones: Tones | None = None
    ) -> None:
        """Shade a patch and put it into the layer.

        Args:
            patch: What to draw; ``None`` draws nothing.
            material: Its surface.
            light: The lamp.
            part: Number to leave in the part buffer.
            tones: Palette numbers (h, w) to use instead of the material's.
        """
        if patch is None:
            return
        if tones is None:
            tones = self.material_tones(material, patch.along, patch.around)
        self.put(patch.window, patch.mask, patch.depth, part, light.shade(patch.normal), tones)

    def merge(self, other: Layer, offset: int) -> None:
        """Put another layer into this one, parts numbered from ``offset``; its window must lie inside this one's."""
        numbers = np.zeros(256, np.uint8)
        numbers[: len(other._tones)] = [self.tone_of(*key) for key in other._tones]
        self.put(
            other.window,
            other.part != NOTHING,
            other.depth,
            other.part + np.int16(offset),
            other.shade,
            cv2.LUT(other.tone, numbers),
        )

    def resolve(self, rng: np.random.Generator) -> np.ndarray:
        """Compute the colours, uint8 BGR (h, w, 3), with folds and grain of rough surfaces; empty pixels are black."""
        table = np.zeros((256, 4), np.float32)
        table[: len(self._tones)] = [(*color, roughness) for color, roughness in self._tones]
        colors = np.zeros((*self.part.shape, 3), np.uint8)
        x, y, width, height = cv2.boundingRect((self.part != NOTHING).view(np.uint8))
        where = slice(y, y + height), slice(x, x + width)
        tone, shade = self.tone[where], self.shade[where]
        if tone.size:
            shade = shade + shade * cv2.LUT(tone, table[:, 3]) * noise_window(rng, (height, width), fractal())
            # Brightness in units of 1/112 keeps the big arrays in bytes, which is four times faster than floats.
            factor = cv2.cvtColor(cv2.convertScaleAbs(shade, alpha=112), cv2.COLOR_GRAY2BGR)
            plain = cv2.LUT(cv2.cvtColor(tone, cv2.COLOR_GRAY2BGR), table[None, :, :3].clip(0, 255).astype(np.uint8))
            colors[where] = cv2.multiply(plain, factor, scale=1 / 112)
        return colors
