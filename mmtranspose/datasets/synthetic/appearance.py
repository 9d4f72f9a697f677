"""Draw what a person looks like: proportions, skin, hair and clothes."""

from dataclasses import dataclass

import cv2
import numpy as np

from mmtranspose.datasets.synthetic.painter import Color, Material
from mmtranspose.datasets.synthetic.skeleton import BodyShape

SKINS = (
    (201, 219, 245),
    (170, 194, 232),
    (141, 172, 219),
    (112, 146, 199),
    (83, 116, 170),
    (60, 88, 138),
    (45, 64, 105),
    (35, 48, 78),
)
HAIRS = ((22, 20, 22), (30, 38, 52), (38, 56, 88), (60, 92, 132), (110, 168, 208), (45, 70, 135), (150, 150, 155))
PATTERNS = ('plain', 'rings', 'stripes', 'checks', 'blotches', 'dots')


@dataclass(frozen=True)
class Appearance:
    """One person's look; colours are BGR, 0..255."""

    shape: BodyShape
    skin: Material
    hair: Material
    hair_style: str  # bald, short, long, bun or cap
    top: Material
    under: Color
    open_front: bool
    logo: bool
    sleeve: float  # 0 none .. 1 to the elbow .. 2 to the wrist
    bottom: Material
    bottom_style: str  # trousers, shorts or skirt
    loose: float  # cloth's distance from the body, times the usual
    shoe: Material
    sole: Color
    beard: bool
    glasses: str  # none, clear or dark
    backpack: bool


def vivid(rng: np.random.Generator) -> Color:
    """Draw a colour of cloth: grey, muted or strong."""
    hue, saturation = rng.integers(0, 180), int(rng.choice((15, 90, 190)) + rng.uniform(0, 60))
    pixel = np.array([[[hue, saturation, int(rng.uniform(35, 245))]]], np.uint8)
    return as_color(cv2.cvtColor(pixel, cv2.COLOR_HSV2BGR)[0, 0])


def as_color(values: np.ndarray) -> Color:
    """Three numbers (3,) as a colour."""
    blue, green, red = (float(value) for value in values)
    return blue, green, red


def _cloth(rng: np.random.Generator, plain: float) -> Material:
    pattern = 'plain' if rng.random() < plain else str(rng.choice(PATTERNS[1:]))
    return Material(vivid(rng), vivid(rng), pattern, rng.uniform(0.045, 0.16), rng.uniform(0.05, 0.13))


def _near_one(rng: np.random.Generator, deviation: float) -> float:
    return float(np.clip(rng.normal(1, deviation), 1 - 2 * deviation, 1 + 2 * deviation))


def sample_shape(rng: np.random.Generator) -> BodyShape:
    """Draw the proportions of an adult or, sometimes, of a child, who has a larger head and shorter legs."""
    child = rng.random() < 0.15
    height = rng.uniform(1.1, 1.5) if child else float(np.clip(rng.normal(1.71, 0.09), 1.48, 1.98))
    return BodyShape(
        height,
        _near_one(rng, 0.03),
        _near_one(rng, 0.06),
        _near_one(rng, 0.03),
        _near_one(rng, 0.07),
        _near_one(rng, 0.03) * (0.94 if child else 1),
        _near_one(rng, 0.03) * (1.65 / height) ** 0.6,
        float(np.clip(rng.normal(1.02, 0.12), 0.8, 1.4)),
    )


def sample_appearance(rng: np.random.Generator) -> Appearance:
    """Draw the look of a person."""
    tint = rng.uniform(0.9, 1.08, 3)
    skin = Material(as_color(np.clip(np.array(SKINS[rng.integers(len(SKINS))]) * tint, 0, 255)), roughness=0.025)
    hair = Material(
        as_color(np.array(HAIRS[rng.choice(len(HAIRS), p=(0.3, 0.2, 0.18, 0.12, 0.08, 0.05, 0.07))]) * tint),
        roughness=0.16,
    )
    style = str(rng.choice(('short', 'long', 'bun', 'cap', 'bald'), p=(0.45, 0.25, 0.1, 0.12, 0.08)))
    if style == 'cap':
        hair = Material(vivid(rng), roughness=0.04)
    bottom_style = str(rng.choice(('trousers', 'shorts', 'skirt'), p=(0.6, 0.27, 0.13)))
    bottom = (
        _cloth(rng, 0.85)
        if rng.random() < 0.6
        else Material((rng.uniform(60, 120), rng.uniform(40, 80), rng.uniform(25, 60)), roughness=0.12)
    )
    return Appearance(
        sample_shape(rng),
        skin,
        hair,
        style,
        _cloth(rng, 0.55),
        vivid(rng),
        bool(rng.random() < 0.2),
        bool(rng.random() < 0.3),
        float(rng.choice((rng.uniform(0.3, 0.8), 2.0, 1.5, 0.0), p=(0.45, 0.4, 0.07, 0.08))),
        bottom,
        bottom_style,
        rng.uniform(0.6, 1.8),
        Material(vivid(rng), roughness=0.04),
        (235, 235, 235) if rng.random() < 0.5 else (35, 35, 40),
        bool(rng.random() < 0.15 and style != 'long'),
        str(rng.choice(('none', 'clear', 'dark'), p=(0.75, 0.15, 0.1))),
        bool(rng.random() < 0.08),
    )
