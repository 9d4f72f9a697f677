"""Paint the place of an image: a room, a street, a park or a blurred backdrop, in the camera's perspective."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from mmtranspose.datasets.synthetic.appearance import vivid
from mmtranspose.datasets.synthetic.pinhole_camera import Camera
from mmtranspose.datasets.synthetic.surfaces import (
    Surface,
    blend,
    brightened,
    byte,
    fill_polygon,
    foliage,
    fractal,
    noise_window,
    paint_ground,
    rectangle,
    wall_surface,
)

FLOORS = ('tiles', 'grout', 'planks', 'planks', 'rough', 'rough', 'plain', 'stripes')
WALLS = ('plain', 'plain', 'plain', 'bricks', 'stripes', 'panels', 'dots', 'rough', 'grout')
PAVINGS = ('rough', 'rough', 'grout', 'tiles', 'plain')


def _dull(rng: np.random.Generator, low: float = 60, high: float = 225, spread: float = 14) -> np.ndarray:
    """Draw a muted colour (3,), BGR."""
    return np.clip(
        rng.uniform(low, high) + rng.normal(0, spread, 3) + rng.uniform(-14, 14) * np.array((-1, 0, 1)), 8, 248
    )


def _two_tones(rng: np.random.Generator, low: float = 60, high: float = 225) -> tuple[np.ndarray, np.ndarray]:
    """Draw a muted colour and a second one that is lighter or darker."""
    color = _dull(rng, low, high)
    return color, np.clip(color * rng.choice((rng.uniform(0.45, 0.85), rng.uniform(1.12, 1.5))), 5, 250)


def _sky(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """Draw a sky of size (w, h): a vertical gradient with clouds, uint8 (h, w, 3)."""
    width, height = size
    top, low = rng.uniform((150, 90, 40), (245, 190, 150)), rng.uniform((200, 190, 170), (250, 245, 240))
    sky = blend(top, low, np.repeat(byte(np.linspace(0, 1, height)[:, None]), width, 1))
    clouds = cv2.resize(noise_window(rng, (height // 2, width // 4), fractal()), (width, height))
    share = np.clip(0.5 * clouds + np.float32(rng.uniform(-0.4, 0.3)), 0, 0.9)
    return cv2.convertScaleAbs(cv2.add(brightened(sky, 1 - share), cv2.cvtColor(245 * share, cv2.COLOR_GRAY2BGR)))


def _paint_wall_hanging(
    rng: np.random.Generator,
    wall: Surface,
    image: np.ndarray,
    left: float,
    bottom: float,
    wide: float,
    tall: float,
    shade: float,
) -> None:
    """Paint a window, door, shelf or poster: a frame with something in it."""
    wall.patch(image, rectangle(left, left + wide, bottom, bottom + tall), _dull(rng, 30, 240) * shade)
    edge = rng.uniform(0.02, 0.08)
    inner = rectangle(left + edge, left + wide - edge, bottom + edge, bottom + tall - edge)
    wall.patch(image, inner, (_dull(rng, 60, 250) if rng.random() < 0.65 else np.array(vivid(rng))) * shade)
    kind = rng.integers(3)
    if kind == 0:  # bars of a window or a bookcase
        for share in np.linspace(0, 1, rng.integers(3, 6))[1:-1]:
            x, y = left + share * wide, bottom + share * tall
            bars = (
                rectangle(x - 0.02, x + 0.02, bottom, bottom + tall),
                rectangle(left, left + wide, y - 0.02, y + 0.02),
            )
            wall.patch(image, bars[rng.integers(2)], _dull(rng, 20, 240) * shade)
    elif kind == 1:  # a painting
        for _ in range(rng.integers(1, 5)):
            spots = rng.uniform((left + edge, bottom + edge), (left + wide - edge, bottom + tall - edge), (4, 2))
            wall.patch(image, spots, np.array(vivid(rng)) * shade)


def _paint_wall(
    rng: np.random.Generator,
    image: np.ndarray,
    wall: Surface,
    extent: tuple[float, float],
    height: float,
    shade: float,
) -> None:
    """Paint one wall, with its skirting and what hangs on it, in place."""
    left, right = extent
    colors, name, scale = _two_tones(rng), str(rng.choice(WALLS)), rng.uniform(0.7, 3.0)
    wall.cover(image, wall.outline(left, right, 0, height), name, colors, scale, shade)
    if rng.random() < 0.3:  # a dado
        wall.cover(
            image,
            wall.outline(left, right, 0, rng.uniform(0.8, 1.3)),
            str(rng.choice(WALLS)),
            _two_tones(rng),
            scale,
            shade,
        )
    for _ in range(rng.integers(1, 7)):
        wide, tall = rng.uniform(0.4, 1.8), rng.uniform(0.4, 2.1)
        bottom = 0 if tall > 1.75 else rng.uniform(0.5, 1.7)
        spot = rng.uniform(max(left, -5), max(min(right, 5) - wide, max(left, -5) + 0.01))
        _paint_wall_hanging(rng, wall, image, spot, bottom, wide, tall, shade)
    if rng.random() < 0.7:
        wall.patch(image, rectangle(left, right, 0, rng.uniform(0.06, 0.16)), _dull(rng, 20, 245) * shade)


def _room(rng: np.random.Generator, camera: Camera) -> np.ndarray:
    """Draw a floor and one wall, or two walls that meet in a corner."""
    image = np.full((camera.size[1], camera.size[0], 3), _dull(rng, 140, 240, 6), np.uint8)
    paint_ground(image, camera, str(rng.choice(FLOORS)), _two_tones(rng), rng.uniform(0.6, 2.2))
    distance, turn, height = rng.uniform(7.5, 12), rng.uniform(-32, 32), rng.uniform(2.5, 5)
    if rng.random() < 0.5:
        back = wall_surface(camera, 0, distance, turn)
        _paint_wall(rng, image, back, (-9, 9), height, 1.0)
        return image
    corner, distance = rng.uniform(-3, 3), rng.uniform(8.5, 12)
    turn = rng.uniform(-60, -25)
    for angle, extent, shade in ((turn, (0, 6.5), 1.0), (turn + 90, (-6.5, 0), rng.uniform(0.65, 0.95))):
        _paint_wall(rng, image, wall_surface(camera, corner, distance, angle), extent, height, shade)
    return image


def _paint_tree(rng: np.random.Generator, image: np.ndarray, camera: Camera, distance: float) -> None:
    """Paint a trunk and a crown of leaves, in place."""
    x, tall, wide = rng.uniform(-0.7, 0.7) * distance, rng.uniform(2.5, 6), rng.uniform(0.8, 2.2)
    trunk = wall_surface(camera, x, distance, 0)
    bark = rng.uniform((20, 30, 40), (60, 80, 100))
    thick = rng.uniform(0.08, 0.2)
    trunk.patch(image, ((-thick, 0), (thick, 0), (0.5 * thick, tall), (-0.5 * thick, tall)), bark)
    corners = trunk.project(((-wide, tall + 0.8 * wide), (wide, tall - 1.1 * wide))).astype(np.int32)
    (x0, y0), (x1, y1) = np.maximum(corners[0], 0), np.minimum(corners[1], camera.size)
    if min(x1 - x0, y1 - y0) > 2:
        mask, shade = foliage(rng, (y1 - y0, x1 - x0))
        part = image[y0:y1, x0:x1]
        leaf = rng.uniform((15, 50, 25), (70, 130, 100))
        cv2.copyTo(blend(0.2 * leaf, 1.6 * leaf, byte(shade / 1.6)), mask.view(np.uint8) * 255, part)


def _paint_buildings(rng: np.random.Generator, image: np.ndarray, camera: Camera) -> None:
    """Paint a row of house fronts with windows, in place."""
    front, x = wall_surface(camera, 0, rng.uniform(17, 30), rng.uniform(-12, 12)), -17.0
    while x < 17:
        wide, tall = rng.uniform(4, 11), rng.uniform(4, 14)
        color, pane, step = _dull(rng), _dull(rng, 30, 200), rng.uniform(1.4, 2.8)
        front.cover(
            image,
            front.outline(x, x + wide, -0.3, tall),
            str(rng.choice(WALLS)),
            (color, 0.9 * color),
            rng.uniform(1, 4),
        )
        for y in np.arange(0.7, tall - 0.6 * step, step):
            for left in np.arange(x + 0.25 * step, x + wide - 0.6 * step, step):
                front.patch(image, rectangle(left, left + 0.5 * step, y, y + 0.55 * step), pane * rng.uniform(0.8, 1.2))
        x += wide + max(rng.uniform(-3, 3), 0)


def _outdoors(rng: np.random.Generator, camera: Camera) -> np.ndarray:
    """Draw sky, hills, grass or paving, houses and trees."""
    image, natural = _sky(rng, camera.size), rng.random() < 0.6
    hills = wall_surface(camera, 0, 60, 0)
    hill = rng.uniform((50, 75, 55), (150, 155, 130))
    hills.cover(image, hills.outline(-80, 80, -2, rng.uniform(1, 10)), 'rough', (hill, 0.8 * hill), 12)
    if natural and rng.random() < 0.65:
        colors = rng.uniform((20, 70, 40), (70, 150, 125)), rng.uniform((15, 45, 30), (60, 120, 110))
    else:
        colors = _two_tones(rng, 80, 190)
    name = 'rough' if natural else str(rng.choice(PAVINGS))
    paint_ground(image, camera, name, colors, rng.uniform(0.5, 2), 0.7 * hill + 45)
    if not natural or rng.random() < 0.25:
        _paint_buildings(rng, image, camera)
    count = rng.integers(1, 8) if natural else rng.integers(0, 4)
    for distance in sorted(rng.uniform(9, 30, count))[::-1]:
        _paint_tree(rng, image, camera, distance)
    return image


def _blurred(rng: np.random.Generator, camera: Camera) -> np.ndarray:
    """Draw coloured shapes out of focus, as behind a portrait."""
    width, height = camera.size
    image = blend(_dull(rng), _dull(rng), np.repeat(byte(np.linspace(0, 1, height // 2)[:, None]), width // 2, 1))
    for _ in range(rng.integers(8, 30)):
        spot = rng.uniform((-10, -10), (width // 2, height // 2))
        shape = spot + rng.normal(0, rng.uniform(5, 35), (rng.integers(3, 6), 2))
        fill_polygon(image, shape, vivid(rng) if rng.random() < 0.4 else _dull(rng, 30, 240))
    image = cv2.resize(cv2.GaussianBlur(image, (0, 0), rng.uniform(1.2, 7)), (width, height))
    return cv2.convertScaleAbs(brightened(image, 1 + np.float32(0.06) * noise_window(rng, (height, width), fractal())))


PLACES: dict[Callable[[np.random.Generator, Camera], np.ndarray], float] = {
    _room: 0.44,
    _outdoors: 0.42,
    _blurred: 0.14,
}
"""Kinds of places, and the share of images that each gets."""


def paint_background(rng: np.random.Generator, camera: Camera) -> tuple[str, np.ndarray]:
    """Draw a place.

    Args:
        rng: Source of randomness.
        camera: The view, which decides horizon and ground.

    Returns:
        The kind of place, and the image, uint8 BGR (h, w, 3).
    """
    place = list(PLACES)[rng.choice(len(PLACES), p=list(PLACES.values()))]
    return place.__name__.strip('_'), place(rng, camera)
