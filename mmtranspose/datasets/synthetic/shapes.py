"""Rasterise the two solids that bodies are made of, capsules and ellipsoids: depth, normals and surface coordinates.

Solids are given in the camera frame (metres, x right, y down, z along the view); results are given for each pixel.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mmtranspose.datasets.synthetic.pinhole_camera import Camera

Window = tuple[int, int, int, int]  # x0, y0, x1, y1 (exclusive), pixels
Pair = tuple[float, float]
Point = np.ndarray | Sequence[float]


class Patch(NamedTuple):
    """A rasterised solid: all arrays cover ``window``, and are valid only where ``mask`` is true."""

    window: Window
    mask: np.ndarray  # bool (h, w)
    depth: np.ndarray  # float32 (h, w), metres along the view
    normal: tuple[np.ndarray, np.ndarray, np.ndarray]  # unit, camera frame; z < 0 faces the camera
    along: np.ndarray | None = None  # metres along the solid's main axis, where asked for
    around: np.ndarray | None = None  # metres across it
    local: Sequence[np.ndarray] = ()  # ellipsoids: surface point in their frame, in units of their radii, 3 x (h, w)


def clip_window(low: Point, high: Point, bounds: Window) -> Window | None:
    """The window of whole pixels round float corners (2,), inside ``bounds``; ``None`` if nothing is left."""
    x0, y0 = max(int(low[0]), bounds[0]), max(int(low[1]), bounds[1])
    x1, y1 = min(int(high[0]) + 2, bounds[2]), min(int(high[1]) + 2, bounds[3])
    return (x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None


def _grid(window: Window, origin: Pair) -> tuple[np.ndarray, np.ndarray]:
    """Pixel coordinates x (w,) and y (h, 1) of a window, counted from ``origin``."""
    x0, y0, x1, y1 = window
    return (
        np.arange(x0, x1, dtype=np.float32) - np.float32(origin[0]),
        (np.arange(y0, y1, dtype=np.float32) - np.float32(origin[1]))[:, None],
    )


def limb(
    camera: Camera,
    bounds: Window,
    ends: np.ndarray | Sequence[np.ndarray],
    radii: Pair,
    bulge: float = 0.0,
    textured: bool = True,
) -> Patch | None:
    """Rasterise a tapered capsule.

    Args:
        camera: Projects the solid.
        bounds: Part of the image to stay inside.
        ends: The two end points (2, 3).
        radii: At the two ends, metres.
        bulge: Extra radius one third of the way along, metres (a calf, a thigh).
        textured: Whether to compute ``along`` and ``around``, for a surface with a pattern.

    Returns:
        The patch, or ``None`` if the limb is outside the bounds or behind the camera.
    """
    (x0, y0, z0), (x1, y1, z1) = np.asarray(ends).tolist()
    if min(z0, z1) < 0.1:
        return None
    start, stop = camera.focal / z0, camera.focal / z1  # pixels per metre
    u0, v0 = x0 * start + camera.centre[0], y0 * start + camera.centre[1]
    du, dv = x1 * stop + camera.centre[0] - u0, y1 * stop + camera.centre[1] - v0
    reach = (max(radii) + bulge) * max(start, stop)
    window = clip_window(
        (u0 + min(du, 0) - reach, v0 + min(dv, 0) - reach), (u0 + max(du, 0) + reach, v0 + max(dv, 0) + reach), bounds
    )
    if window is None:
        return None
    grid, axis, depths = _grid(window, (u0, v0)), (du, dv), (z0, z1)
    sizes = radii[0] * start, radii[1] * stop, bulge * (start + stop) / 2
    patch, share, radius = _capsule(window, grid, axis, depths, sizes, np.float32((start + stop) / 2))
    if not textured:
        return patch
    across = _across(patch.normal, axis) * radius / np.float32((start + stop) / 2)
    return patch._replace(along=share * np.float32(math.dist((x0, y0, z0), (x1, y1, z1))), around=across)


def _capsule(
    window: Window,
    grid: tuple[np.ndarray, np.ndarray],
    axis: Pair,
    depths: Pair,
    sizes: tuple[float, float, float],
    scale: np.float32,
) -> tuple[Patch, np.ndarray, np.ndarray]:
    """Rasterise a capsule that starts at the grid's origin; ``sizes``: radii at the two ends and bulge, in pixels.

    Returns:
        The patch without surface coordinates; for each pixel its share of the way along the axis, and the capsule's
        radius there in pixels.
    """
    (x, y), (du, dv), length = grid, axis, max(math.hypot(*axis), 1e-3)
    share = x * np.float32(du / length**2) + y * np.float32(dv / length**2)
    np.maximum(share, 0, out=share)
    np.minimum(share, 1, out=share)
    radius = share * np.float32(sizes[1] - sizes[0])
    radius += np.float32(sizes[0])
    if sizes[2]:
        radius += np.float32(6.75 * sizes[2]) * share * (1 - share) ** 2  # its peak, at a third, is the bulge
    dx = (x - share * np.float32(du)) / radius
    dy = (y - share * np.float32(dv)) / radius
    flat = dx * dx + dy * dy
    front = np.sqrt(np.maximum(1 - flat, 0))
    depth = share * np.float32(depths[1] - depths[0])
    depth -= front * radius / scale
    depth += np.float32(depths[0])
    return Patch(window, flat < 1, depth, (dx, dy, -front)), share, radius


def _across(normal: Sequence[np.ndarray], axis: Pair) -> np.ndarray:
    """The component of a capsule's normals across its axis in the image."""
    length = max(math.hypot(*axis), 1e-3)
    return normal[1] * np.float32(axis[0] / length) - normal[0] * np.float32(axis[1] / length)


def _weighted(weights: np.ndarray, arrays: Sequence[np.ndarray]) -> np.ndarray:
    """Sum of arrays times numbers, in float32."""
    total = arrays[0] * np.float32(weights[0])
    for weight, array in zip(weights[1:], arrays[1:]):
        total = total + array * np.float32(weight)
    return total


def _square(vector: Sequence[np.ndarray]) -> np.ndarray:
    """The squared length of a vector whose three components are arrays."""
    return vector[0] * vector[0] + vector[1] * vector[1] + vector[2] * vector[2]


def ellipsoid(
    camera: Camera, bounds: Window, centre: np.ndarray, frame: np.ndarray, radii: np.ndarray, ring: bool = False
) -> Patch | None:
    """Rasterise an ellipsoid, seen along the ray through its centre (the perspective of small objects).

    Args:
        camera: Projects the solid.
        bounds: Part of the image to stay inside.
        centre: (3,).
        frame: Its axes, the columns of a rotation (3, 3).
        radii: Along those axes (3,), metres.
        ring: Shade it as one ring of a stack along the second axis, so that the stack looks like one smooth body.

    Returns:
        The patch, or ``None`` if the ellipsoid is outside the bounds or behind the camera. ``along`` is the second
        local coordinate (up) and ``around`` the first (left), in metres.
    """
    cx, cy, cz = centre.tolist()
    if cz < max(radii) + 0.1:
        return None
    scale = camera.focal / cz
    pixel = cx * scale + camera.centre[0], cy * scale + camera.centre[1]
    wide, tall, deep = np.sqrt(((frame * radii) ** 2).sum(1)).tolist()
    half = (wide + abs(cx / cz) * deep) * scale, (tall + abs(cy / cz) * deep) * scale
    window = clip_window((pixel[0] - half[0], pixel[1] - half[1]), (pixel[0] + half[0], pixel[1] + half[1]), bounds)
    if window is None:
        return None
    sheared = np.array(((1 / scale, 0, cx / cz), (0, 1 / scale, cy / cz), (0, 0, 1)))
    to_ball = (frame.T / np.asarray(radii)[:, None]) @ sheared  # (pixel x, pixel y, depth) to the unit ball
    x, y = _grid(window, pixel)
    base = [_weighted(row[:2], (x, y)) for row in to_ball]
    ray = to_ball[:, 2]
    a = np.float32(ray @ ray)
    b = _weighted(ray, base)
    inside = b * b
    inside -= a * (_square(base) - 1)
    z = np.sqrt(np.maximum(inside, 0))
    z += b
    z /= -a
    local = [p + np.float32(r) * z for p, r in zip(base, ray)]
    weights = np.array((1.0, 0.06 if ring else 1.0, 1.0)) / radii
    nx, ny, nz = (_weighted(row, local) for row in frame * weights)
    size = np.sqrt(_square((nx, ny, nz)))
    size += np.float32(1e-6)
    z += np.float32(cz)
    normal = (nx / size, ny / size, nz / size)
    return Patch(window, inside > 0, z, normal, local[1] * np.float32(radii[1]), local[0] * np.float32(radii[0]), local)
