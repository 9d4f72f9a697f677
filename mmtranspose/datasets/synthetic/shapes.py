"""The two solids that bodies are made of, rasterised with depth, normals and surface coordinates.

Solids come in the camera frame (metres, x right, y down, z along the view); what comes out is per pixel.
"""
import math
from typing import NamedTuple, Optional, Tuple

import numpy as np

from .camera import Camera

Window = Tuple[int, int, int, int]  # x0, y0, x1, y1 (exclusive), pixels


class Patch(NamedTuple):
    """A rasterised solid: every array covers ``window`` and means something only where ``mask`` is true."""
    window: Window
    mask: np.ndarray  # bool (h, w)
    depth: np.ndarray  # float32 (h, w), metres along the view
    normal: Tuple[np.ndarray, np.ndarray, np.ndarray]  # unit, camera frame; z < 0 faces the camera
    along: np.ndarray  # metres along the solid's main axis
    around: np.ndarray  # metres across it
    local: Optional[np.ndarray] = None  # (3, h, w), ellipsoids: surface point in the ellipsoid's frame and radii


def clip_window(low, high, bounds: Window) -> Optional[Window]:
    """The whole-pixel window round float corners (2,), inside ``bounds``; ``None`` when nothing is left."""
    x0, y0 = max(int(low[0]), bounds[0]), max(int(low[1]), bounds[1])
    x1, y1 = min(int(high[0]) + 2, bounds[2]), min(int(high[1]) + 2, bounds[3])
    return (x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None


def _grid(window: Window, origin) -> Tuple[np.ndarray, np.ndarray]:
    x0, y0, x1, y1 = window
    return (np.arange(x0, x1, dtype=np.float32) - np.float32(origin[0]),
            (np.arange(y0, y1, dtype=np.float32) - np.float32(origin[1]))[:, None])


def limb(camera: Camera, bounds: Window, ends: np.ndarray, radii: Tuple[float, float],
         bulge: float = 0.) -> Optional[Patch]:
    """A tapered capsule.

    Args:
        camera: Projects the solid.
        bounds: Part of the picture to stay inside.
        ends: The two end points (2, 3).
        radii: At the two ends, metres.
        bulge: Extra radius one third of the way along, metres (a calf, a thigh).

    Returns:
        The patch, or ``None`` when the limb is outside the bounds or behind the camera.
    """
    if ends[:, 2].min() < .1:
        return None
    pixels, scales = camera.project(ends), camera.focal / ends[:, 2]
    reach = (max(radii) + bulge) * scales.max()
    window = clip_window(pixels.min(0) - reach, pixels.max(0) + reach, bounds)
    if window is None:
        return None
    x, y = _grid(window, pixels[0])
    axis = pixels[1] - pixels[0]
    length = max(float(np.hypot(*axis)), 1e-3)
    ux, uy = np.float32(axis[0] / length), np.float32(axis[1] / length)
    share = np.clip((x * ux + y * uy) / np.float32(length), 0, 1)
    radius = np.float32(radii[0] * scales[0]) + share * np.float32(radii[1] * scales[1] - radii[0] * scales[0])
    if bulge:
        radius += np.float32(bulge * scales.mean() * 6.75) * share * (1 - share)**2
    dx, dy = (x - share * np.float32(axis[0])) / radius, (y - share * np.float32(axis[1])) / radius
    flat = dx * dx + dy * dy
    front = np.sqrt(np.maximum(1 - flat, 0))
    scale = np.float32(scales.mean())
    depth = np.float32(ends[0, 2]) + share * np.float32(ends[1, 2] - ends[0, 2]) - front * radius / scale
    across = (dy * ux - dx * uy) * radius / scale
    size = np.float32(math.dist(ends[0], ends[1]))
    return Patch(window, flat < 1, depth, (dx, dy, -front), share * size, across)


def ellipsoid(camera: Camera, bounds: Window, centre: np.ndarray, frame: np.ndarray,
              radii: np.ndarray) -> Optional[Patch]:
    """An ellipsoid, seen along the ray through its centre (the small-object perspective).

    Args:
        camera: Projects the solid.
        bounds: Part of the picture to stay inside.
        centre: (3,).
        frame: Its axes, the columns of a rotation (3, 3).
        radii: Along those axes (3,), metres.

    Returns:
        The patch, or ``None`` when it is outside the bounds or behind the camera. ``along`` is the second local
        coordinate (up) and ``around`` the first (left), in metres.
    """
    if centre[2] < radii.max() + .1:
        return None
    scale = camera.focal / centre[2]
    pixel = camera.project(centre)
    spread = np.sqrt(((frame * radii)**2).sum(1))
    reach = (spread[:2] + np.abs(centre[:2] / centre[2]) * spread[2]) * scale
    window = clip_window(pixel - reach, pixel + reach, bounds)
    if window is None:
        return None
    unit = frame.T / radii[:, None]  # camera frame to the unit ball
    shear = np.array((centre[0] / centre[2], centre[1] / centre[2], 1.))
    to_ball = np.column_stack((unit[:, 0] / scale, unit[:, 1] / scale, unit @ shear)).astype(np.float32)
    x, y = _grid(window, pixel)
    base = [to_ball[i, 0] * x + to_ball[i, 1] * y for i in range(3)]
    ray = to_ball[:, 2]
    a = float(ray @ ray)
    b = base[0] * ray[0] + base[1] * ray[1] + base[2] * ray[2]
    inside = b * b - a * (base[0]**2 + base[1]**2 + base[2]**2 - 1)
    z = (-b - np.sqrt(np.maximum(inside, 0))) / np.float32(a)
    local = np.stack([base[i] + ray[i] * z for i in range(3)])
    normal = np.tensordot((frame / radii).astype(np.float32), local, 1)
    normal /= np.sqrt(np.maximum((normal**2).sum(0), 1e-9))
    return Patch(window, inside > 0, np.float32(centre[2]) + z, tuple(normal), local[1] * np.float32(radii[1]),
                 local[0] * np.float32(radii[0]), local)
