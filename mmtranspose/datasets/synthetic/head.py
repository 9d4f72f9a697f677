"""Paint a head: a skull with a face in its own coordinates, nose, ears and hair."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mmtranspose.datasets.synthetic.appearance import Appearance, as_color
from mmtranspose.datasets.synthetic.body_parts import PART_ID
from mmtranspose.datasets.synthetic.painter import Layer, Light, Material
from mmtranspose.datasets.synthetic.pinhole_camera import Camera
from mmtranspose.datasets.synthetic.shapes import Patch, ellipsoid, limb
from mmtranspose.datasets.synthetic.skeleton import FACE_POINTS, Skeleton, head_centre, head_radii

LIPS, IRIS, WHITE, LENS = (70, 70, 150), (40, 45, 50), (235, 235, 235), (30, 28, 28)


class _Head(NamedTuple):
    """What every part of a head is painted with."""

    layer: Layer
    camera: Camera
    centre: np.ndarray  # (3,), in the camera frame
    frame: np.ndarray  # (3, 3)
    radii: np.ndarray  # (3,), metres
    look: Appearance
    light: Light


def _spot(local: Sequence[np.ndarray], centre: tuple[float, float], radii: tuple[float, float]) -> np.ndarray:
    """Mask (h, w) of an ellipse on the front of the unit ball, with centre and radii in its x and y."""
    return (((local[0] - centre[0]) / radii[0]) ** 2 + ((local[1] - centre[1]) / radii[1]) ** 2 < 1) & (local[2] > 0)


def _face(layer: Layer, local: Sequence[np.ndarray], look: Appearance) -> np.ndarray:
    """Palette numbers (h, w) of the skull: skin, sockets, eyes, brows, mouth, glasses and beard."""
    skin, rough = np.array(look.skin.color), look.skin.roughness
    brow = np.array(look.hair.color if look.hair_style not in ('bald', 'cap') else (40, 50, 60))
    tones = np.full(local[0].shape, layer.tone_of(look.skin.color, rough), np.uint8)
    if look.beard:
        tones[(local[1] < -0.3) & (local[2] > 0.15)] = layer.tone_of(0.7 * brow + 0.3 * skin, rough)
    socket, hairs, white, iris, lens, lips = (
        layer.tone_of(color)
        for color in (0.74 * skin, 0.8 * brow, WHITE, IRIS, LENS, 0.45 * skin + 0.55 * np.array(LIPS))
    )
    for side in (1, -1):
        tones[_spot(local, (0.40 * side, 0.02), (0.27, 0.15))] = socket
        tones[_spot(local, (0.40 * side, 0.05), (0.20, 0.11))] = white
        tones[_spot(local, (0.40 * side, 0.05), (0.10, 0.12))] = iris
        tones[_spot(local, (0.42 * side, 0.27), (0.25, 0.06))] = hairs
        if look.glasses == 'dark':
            tones[_spot(local, (0.42 * side, 0.04), (0.34, 0.20))] = lens
    if look.glasses != 'none':
        tones[(np.abs(local[1] - 0.1) < 0.035) & (local[2] > -0.2)] = lens
    tones[_spot(local, (0, -0.52), (0.27, 0.07))] = lips
    return tones


def _hair_region(local: Sequence[np.ndarray], style: str) -> np.ndarray:
    """Mask (h, w) of the hair on the unit ball of its shell: behind a line from the forehead round the ears."""
    x, y, z = local
    crown = y > 0.52 + 0.25 * z if style != 'cap' else y > 0.36
    sides = (z < 0.12 - 0.35 * np.minimum(y, 0)) & (y > (-0.45 if style != 'long' else -1))
    return crown | (sides & ((np.abs(x) < 0.88) | (y > 0.05) | (style == 'long') | (z < -0.3)))


_LOCKS = {
    'long': (
        ((0, -0.5, -0.55), (0.85, 0.7, 0.42)),
        ((0, -1.1, -0.62), (0.82, 0.7, 0.42)),
        ((0, -1.6, -0.68), (0.72, 0.7, 0.42)),
    ),
    'bun': (((0, 0.45, -1.15), (0.45, 0.45, 0.45)),),
    'cap': (((0, 0.42, 0.95), (0.8, 0.10, 0.75)),),
}
"""Ellipsoids that a style adds to the shell of hair: centre and radii in units of the skull's radii."""


def _paint_hair(head: _Head) -> None:
    layer, camera, centre, frame, radii, look, light = head
    shell = ellipsoid(camera, layer.window, centre + frame @ (np.array((0, 0.05, -0.07)) * radii), frame, radii * 1.10)
    if shell is not None:
        shell = shell._replace(mask=shell.mask & _hair_region(shell.local, look.hair_style))
        layer.paint(shell, look.hair, light, PART_ID['hair'])
    for spot, size in _LOCKS.get(look.hair_style, ()):
        lock = ellipsoid(camera, layer.window, centre + frame @ (np.array(spot) * radii), frame, radii * size)
        layer.paint(lock, look.hair, light, PART_ID['hair'])


def _paint_ears(head: _Head) -> None:
    layer, camera, centre, frame, radii, look, light = head
    for side in ('left', 'right'):
        spot = centre + frame @ (np.array(FACE_POINTS[f'{side}_ear']) * radii)
        layer.paint(
            ellipsoid(camera, layer.window, spot, frame, radii * (0.13, 0.26, 0.17)),
            look.skin,
            light,
            PART_ID[f'{side}_ear'],
        )


def _paint_nose(head: _Head) -> None:
    layer, camera, centre, frame, radii, look, light = head
    bridge, tip = (centre + frame @ (np.array(spot) * radii) for spot in ((0, 0.12, 0.93), (0, -0.22, 1.04)))
    skin = Material(as_color(0.93 * np.array(look.skin.color)), roughness=0.0)
    nose = limb(camera, layer.window, np.stack((bridge, tip)), (0.07 * radii[0], 0.20 * radii[0]))
    layer.paint(nose, skin, light, PART_ID['nose'])


def paint_head(layer: Layer, camera: Camera, skeleton: Skeleton, look: Appearance, light: Light) -> None:
    """Paint a head.

    Args:
        layer: What is painted into.
        camera: The view.
        skeleton: Posed, in the camera frame.
        look: Colours, hair, glasses.
        light: The lamp.
    """
    frame, radii = skeleton.frames['head'], head_radii(look.shape)
    centre = head_centre(look.shape, skeleton)
    skull = ellipsoid(camera, layer.window, centre, frame, radii)
    if skull is None:
        return
    layer.paint(_jaw(camera, layer, centre, frame, radii), look.skin, light, PART_ID['skull'])
    layer.paint(skull, look.skin, light, PART_ID['skull'], _face(layer, skull.local, look))
    head = _Head(layer, camera, centre, frame, radii, look, light)
    _paint_ears(head)
    _paint_nose(head)
    if look.hair_style != 'bald':
        _paint_hair(head)


def _jaw(camera: Camera, layer: Layer, centre: np.ndarray, frame: np.ndarray, radii: np.ndarray) -> Patch | None:
    return ellipsoid(
        camera, layer.window, centre + frame @ (np.array((0, -0.52, 0.16)) * radii), frame, radii * (0.74, 0.50, 0.74)
    )
