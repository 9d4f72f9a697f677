"""Paint things that stand behind people or in front of them: boxes, seats, poles, balls and bushes."""

from __future__ import annotations

import cv2
import numpy as np

from mmtranspose.datasets.synthetic.appearance import PATTERNS, SKINS, vivid
from mmtranspose.datasets.synthetic.painter import Layer, Light, Material, Tones
from mmtranspose.datasets.synthetic.pinhole_camera import Camera
from mmtranspose.datasets.synthetic.shapes import clip_window, ellipsoid, limb
from mmtranspose.datasets.synthetic.skeleton import rotation
from mmtranspose.datasets.synthetic.surfaces import foliage

_FACES = ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3))  # -x +x -y +y -z +z


def random_material(rng: np.random.Generator) -> Material:
    """Draw a material of any colour, sometimes that of skin, sometimes with a pattern."""
    color = SKINS[rng.integers(len(SKINS))] if rng.random() < 0.2 else vivid(rng)
    return Material(
        color,
        vivid(rng),
        str(rng.choice(PATTERNS)) if rng.random() < 0.35 else 'plain',
        rng.uniform(0.08, 0.4),
        rng.uniform(0.02, 0.12),
    )


def paint_box(
    layer: Layer,
    camera: Camera,
    centre: np.ndarray,
    yaw: float,
    size: np.ndarray,
    material: Material,
    light: Light,
    part: int,
) -> None:
    """Paint an upright cuboid.

    Args:
        layer: Drawn into.
        camera: The view.
        centre: World position (3,) of its middle, metres.
        yaw: Heading about y in degrees.
        size: Edge lengths (3,) along its x, y, z, metres.
        material: Its surface.
        light: The lamp.
        part: Number to leave in the part buffer.
    """
    turn = rotation(1, yaw)
    signs = np.array([(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
    corners = camera.to_camera(centre + (signs * size / 2) @ turn.T)
    if corners[:, 2].min() < 0.3:
        return
    axes = camera.rotation @ turn
    for number, face in enumerate(_FACES):
        points = corners[list(face)]
        normal = axes[:, number // 2] * (number % 2 * 2 - 1)
        if normal @ points[0] < 0:
            _paint_face(layer, camera, points, normal, material, light, part)


def _paint_face(
    layer: Layer,
    camera: Camera,
    points: np.ndarray,
    normal: np.ndarray,
    material: Material,
    light: Light,
    part: int,
) -> None:
    """Paint one face: corners (4, 3) and unit normal (3,) in the camera frame."""
    pixels = camera.project(points)
    x0, y0, x1, y1 = layer.window
    low, high = np.maximum(np.floor(pixels.min(0)), (x0, y0)), np.minimum(np.ceil(pixels.max(0)) + 1, (x1, y1))
    if (low >= high).any():
        return
    window = (int(low[0]), int(low[1]), int(high[0]), int(high[1]))
    mask = np.zeros((window[3] - window[1], window[2] - window[0]), np.uint8)
    cv2.fillConvexPoly(mask, np.clip(np.round(pixels - low), -8000, 8000).astype(np.int32), (1,))
    u = (np.arange(window[0], window[2], dtype=np.float32) - camera.centre[0]) / camera.focal
    v = (np.arange(window[1], window[3], dtype=np.float32)[:, None] - camera.centre[1]) / camera.focal
    facing = normal[0] * u + normal[1] * v + normal[2]
    depth = ((normal @ points[0]) / np.where(facing < -1e-6, facing, -1e6)).astype(np.float32)
    tones = _face_tones(layer, points, u * depth, v * depth, depth, material)
    layer.put(window, mask > 0, depth, part, light.shade(normal[:, None, None].astype(np.float32)), tones)


def _face_tones(
    layer: Layer, points: np.ndarray, x: np.ndarray, y: np.ndarray, z: np.ndarray, material: Material
) -> Tones:
    """The material's palette numbers on a face, at surface points x, y, z (h, w) in the camera frame."""
    if material.pattern == 'plain':
        return layer.tone_of(material.color, material.roughness)
    edges = [(points[i] - points[0]) / np.linalg.norm(points[i] - points[0]) for i in (1, 3)]
    along, around = (e[0] * (x - points[0][0]) + e[1] * (y - points[0][1]) + e[2] * (z - points[0][2]) for e in edges)
    return layer.material_tones(material, along, around)


def paint_pole(
    layer: Layer, camera: Camera, spot: np.ndarray, rng: np.random.Generator, light: Light, part: int
) -> None:
    """Paint a pole, sometimes leaning and as thick as a limb, standing at a world position (3,)."""
    top = spot + np.array((rng.normal(0, 0.3), rng.uniform(0.6, 3.0), rng.normal(0, 0.2)))
    radius = rng.uniform(0.02, 0.09)
    ends = camera.to_camera(np.stack((spot, top)))
    layer.paint(
        limb(camera, layer.window, ends, (radius, radius * rng.uniform(0.6, 1.1))), random_material(rng), light, part
    )


def paint_ball(
    layer: Layer, camera: Camera, spot: np.ndarray, rng: np.random.Generator, light: Light, part: int
) -> None:
    """Paint a ball, lying or thrown, at a world position (3,)."""
    radius = rng.uniform(0.08, 0.3)
    centre = camera.to_camera(spot + np.array((0, radius + rng.choice((0.0, rng.uniform(0, 1.8))), 0)))
    layer.paint(
        ellipsoid(camera, layer.window, centre, np.eye(3), np.full(3, radius)), random_material(rng), light, part
    )


def paint_bush(
    layer: Layer, camera: Camera, spot: np.ndarray, rng: np.random.Generator, _light: Light, part: int
) -> None:
    """Paint a bush at a world position (3,): a flat mass of leaves that faces the camera and is not lit by the lamp."""
    wide, tall = rng.uniform(0.5, 1.4), rng.uniform(0.4, 1.1)
    foot = camera.to_camera(spot)
    x, y = camera.project(foot)
    half, up = wide / 2 * camera.focal / foot[2], tall * camera.focal / foot[2]
    window = clip_window((x - half, y - up), (x + half, y + 0.08 * up), layer.window)
    if window is None:
        return
    mask, shade = foliage(rng, (window[3] - window[1], window[2] - window[0]))
    tone = layer.tone_of(rng.uniform((15, 55, 30), (75, 140, 105)), 0.1)
    layer.put(window, mask, np.full(mask.shape, foot[2], np.float32), part, shade, tone)


def paint_crate(
    layer: Layer, camera: Camera, spot: np.ndarray, rng: np.random.Generator, light: Light, part: int
) -> None:
    """Paint a box, cabinet or low wall standing at a world position (3,)."""
    size = np.array((rng.uniform(0.25, 1.4), rng.uniform(0.2, 1.1), rng.uniform(0.2, 0.7)))
    paint_box(
        layer,
        camera,
        spot + np.array((0, size[1] / 2, 0)),
        rng.uniform(0, 180),
        size,
        random_material(rng),
        light,
        part,
    )


def _seat_boxes(rng: np.random.Generator, top: float) -> list[tuple[tuple[float, float, float], np.ndarray]]:
    """Centres (x, height, z) and sizes (3,) of a seat's boxes: the seat, legs if it is thin, perhaps a back."""
    size = np.array((rng.uniform(0.36, 0.6), min(top, rng.uniform(0.06, max(0.07, top))), rng.uniform(0.34, 0.42)))
    wide, thick, deep = size
    boxes: list[tuple[tuple[float, float, float], np.ndarray]] = [((0, top - thick / 2, 0), size)]
    if thick < 0.8 * top:
        legs = [(x * wide, (top - thick) / 2, z * deep) for x in (-0.42, 0.42) for z in (-0.42, 0.42)]
        boxes += [(leg, np.array((0.045, top - thick, 0.045))) for leg in legs]
    if rng.random() < 0.4:
        boxes.append(((0, top + 0.18, -deep / 2 - 0.06), np.array((wide, 0.42, 0.05))))
    return boxes


def paint_seat(
    layer: Layer,
    camera: Camera,
    pelvis: np.ndarray,
    yaw: float,
    top: float,
    rng: np.random.Generator,
    light: Light,
    part: int,
) -> None:
    """Paint a stool, bench or chair of height ``top`` under a pelvis (3,), both in metres of the world."""
    material, turn = random_material(rng), rotation(1, yaw)
    for middle, size in _seat_boxes(rng, top):
        spot = pelvis + turn @ (np.array(middle) + np.array((0, 0, 0.06)))
        spot[1] = middle[1]
        paint_box(layer, camera, spot, yaw, size, material, light, part)


THINGS = (paint_pole, paint_ball, paint_crate, paint_bush)
