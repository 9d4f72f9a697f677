"""Paint a clothed person: solids placed on a posed skeleton, with the numbers of their parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from mmtranspose.datasets.synthetic.appearance import Appearance
from mmtranspose.datasets.synthetic.body_parts import PART_ID
from mmtranspose.datasets.synthetic.head import paint_head
from mmtranspose.datasets.synthetic.painter import Layer, Light, Material, Tones
from mmtranspose.datasets.synthetic.pinhole_camera import Camera
from mmtranspose.datasets.synthetic.shapes import Patch, Window, clip_window, ellipsoid, limb
from mmtranspose.datasets.synthetic.skeleton import Skeleton, frame_along

SIDES = ('left', 'right')
PatchTones = Callable[[Patch], Tones]


class Brush(NamedTuple):
    """What every part of a body is painted with."""

    layer: Layer
    camera: Camera
    skeleton: Skeleton  # in the camera frame
    look: Appearance
    light: Light

    def limb(
        self, ends: Sequence[np.ndarray], radii: tuple[float, float], material: Material, part: str, bulge: float = 0.0
    ) -> None:
        """Paint a tapered capsule between two points (3,); radii in metres for a body 1 m tall."""
        size = self.look.shape.height * self.look.shape.girth**0.7
        patch = limb(
            self.camera,
            self.layer.window,
            ends,
            (radii[0] * size, radii[1] * size),
            bulge * size,
            material.pattern != 'plain',
        )
        self.layer.paint(patch, material, self.light, PART_ID[part])

    def blob(
        self,
        centre: np.ndarray,
        frame: np.ndarray,
        radii: np.ndarray,
        material: Material,
        part: str,
        tones: PatchTones | None = None,
        ring: bool = False,
    ) -> None:
        """Paint an ellipsoid with radii in metres; ``tones`` maps its patch to palette numbers."""
        patch = ellipsoid(self.camera, self.layer.window, centre, frame, np.asarray(radii), ring)
        numbers = None if patch is None or tones is None else tones(patch)
        self.layer.paint(patch, material, self.light, PART_ID[part], numbers)


def _between(a: np.ndarray, b: np.ndarray, share: float) -> np.ndarray:
    return a + share * (b - a)


def _paint_leg(brush: Brush, side: str) -> None:
    joints, look = brush.skeleton.joints, brush.look
    hip, knee, ankle = (joints[f'{side}_{name}'] for name in ('hip', 'knee', 'ankle'))
    thigh, shin = f'{side}_thigh', f'{side}_shin'
    cloth, extra = look.bottom, 0.006 * look.loose
    if look.bottom_style == 'trousers':
        brush.limb((hip, knee), (0.053 + extra, 0.035 + extra), cloth, thigh)
        brush.limb((knee, ankle), (0.034 + extra, 0.024 + 1.4 * extra), cloth, shin, 0.006)
    else:
        # Skin starts below the hem's upper end, so that no hip shows through the garment.
        brush.limb((_between(hip, knee, 0.3), knee), (0.046, 0.034), look.skin, thigh)
        brush.limb((knee, ankle), (0.033, 0.021), look.skin, shin, 0.011)
        hem = 0.4 if look.bottom_style == 'skirt' else 0.45 + 0.25 * look.loose
        brush.limb((hip, _between(hip, knee, hem)), (0.055, 0.049 + extra), cloth, thigh)


def _paint_foot(brush: Brush, side: str) -> None:
    joints, look, part = brush.skeleton.joints, brush.look, f'{side}_foot'
    heel, toe, ankle = (joints[f'{side}_{name}'] for name in ('heel', 'toe', 'ankle'))
    down = -brush.skeleton.frames[f'{side}_ankle'][:, 1] * 0.010 * look.shape.height
    sole = Material(look.sole, roughness=0.0)
    brush.limb((heel + down, toe + down), (0.017, 0.017), sole, part)
    brush.limb((heel, toe), (0.021, 0.018), look.shoe, part)
    brush.limb((ankle, _between(heel, toe, 0.55)), (0.024, 0.019), look.shoe, part)


def _paint_arm(brush: Brush, side: str) -> None:
    joints, look = brush.skeleton.joints, brush.look
    shoulder, elbow, wrist = (joints[f'{side}_{name}'] for name in ('shoulder', 'elbow', 'wrist'))
    upper, fore, extra = f'{side}_upper_arm', f'{side}_forearm', 0.005 * look.loose
    sleeve = look.sleeve
    if sleeve < 1:
        brush.limb((shoulder, elbow), (0.030, 0.024), look.skin, upper)
    if sleeve > 0:
        end = _between(shoulder, elbow, min(sleeve, 1.0))
        brush.limb((shoulder, end), (0.034 + 0.2 * extra, 0.027 + extra + 0.004 * (sleeve < 1)), look.top, upper)
    if sleeve < 2:
        brush.limb((elbow, wrist), (0.024, 0.0165), look.skin, fore, 0.003)
    if sleeve > 1:
        brush.limb((elbow, _between(elbow, wrist, sleeve - 1)), (0.027 + extra, 0.020 + extra), look.top, fore)


def _paint_hand(brush: Brush, side: str) -> None:
    joints, skin, part = brush.skeleton.joints, brush.look.skin, f'{side}_hand'
    wrist, hand, frame = joints[f'{side}_wrist'], joints[f'{side}_hand'], brush.skeleton.frames[f'{side}_wrist']
    height, inward = brush.look.shape.height, -1 if side == 'left' else 1
    palm = _between(wrist, hand, 0.45)
    brush.blob(palm, frame, np.array((0.011, 0.030, 0.020)) * height, skin, part)
    brush.limb((palm, hand), (0.015, 0.009), skin, part)
    thumb = palm + frame @ (np.array((0.004 * inward, -0.012, 0.030)) * height)
    brush.limb((_between(wrist, palm, 0.5), thumb), (0.009, 0.007), skin, part)


def _trunk_levels(skeleton: Skeleton) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    """Centres and frames from the pelvis to the shoulders, evenly up the trunk."""
    joints, frames = skeleton.joints, skeleton.frames
    return tuple((joints[name], frames[name]) for name in ('pelvis', 'lumbar', 'chest', 'neck'))


def _trunk_at(levels: Sequence[tuple[np.ndarray, np.ndarray]], height: float) -> tuple[np.ndarray, np.ndarray]:
    """Centre and frame at a height: 0 the pelvis, 1 the lumbar, 2 the chest joint, 3 the base of the neck."""
    low = min(max(int(height), 0), 2)
    share = height - low
    frame = _between(levels[low][1], levels[min(low + 1, 2)][1], min(max(share, 0), 1))
    return _between(levels[low][0], levels[low + 1][0], share), frame_along(frame[:, 0], frame[:, 1])


TRUNK = (
    (-0.2, 0.092, 0.062, 0.064, 'bottom'),
    (0.1, 0.094, 0.070, 0.066, 'bottom'),
    (0.6, 0.086, 0.062, 0.061, 'bottom'),
    (0.5, 0.094, 0.060, 0.067, 'top'),
    (1.0, 0.087, 0.085, 0.063, 'top'),
    (1.4, 0.088, 0.085, 0.064, 'top'),
    (1.8, 0.095, 0.085, 0.068, 'top'),
    (2.15, 0.102, 0.075, 0.069, 'top'),
    (2.45, 0.106, 0.060, 0.064, 'top'),
    (2.66, 0.100, 0.048, 0.055, 'top'),
)
"""Rings of the trunk: level as in ``_trunk_at``; half width, height and depth for a body 1 m tall; garment."""


def _paint_trunk(brush: Brush) -> None:
    look, levels = brush.look, _trunk_levels(brush.skeleton)
    size, girth = look.shape.height, look.shape.girth
    for level, width, tall, depth, garment in TRUNK:
        centre, frame = _trunk_at(levels, level)
        wide = look.shape.hip if level < 1.2 else look.shape.shoulder
        radii = np.array((width * wide * girth**0.5, tall, depth * girth)) * size
        height = float(np.interp(level, range(4), (0, 0.05, 0.17, 0.305))) * size
        if garment == 'bottom':
            brush.blob(centre, frame, radii, look.bottom, 'pelvis', _cloth(brush.layer, look.bottom, height), True)
        else:
            brush.blob(centre, frame, radii, look.top, 'torso', _shirt(brush.layer, look, level, height), True)
    _paint_shoulders(brush)


def _cloth(layer: Layer, material: Material, height: float) -> PatchTones:
    """Palette numbers of one ring of a garment, whose pattern goes on from ring to ring by height in metres."""

    def tones(patch: Patch) -> Tones:
        assert patch.along is not None
        return layer.material_tones(material, patch.along + np.float32(height), patch.around)

    return tones


def _shirt(layer: Layer, look: Appearance, level: float, height: float) -> PatchTones:
    """Palette numbers of one ring of the upper garment, with its pattern, open front and logo."""
    under, cloth = layer.tone_of(look.under, look.top.roughness), _cloth(layer, look.top, height)

    def tones(patch: Patch) -> Tones:
        assert patch.around is not None
        numbers = cloth(patch)
        front = patch.local[2] > 0
        if look.open_front:
            numbers = np.where(front & (np.abs(patch.around) < 0.045), under, numbers)
        if look.logo and 1.7 < level < 2.3:
            numbers = np.where(front & (np.abs(patch.local[0]) < 0.38), under, numbers)
        return numbers

    return tones


def _paint_shoulders(brush: Brush) -> None:
    joints, look = brush.skeleton.joints, brush.look
    for side in SIDES:
        brush.limb((joints[f'{side}_clavicle'], joints[f'{side}_shoulder']), (0.036, 0.034), look.top, 'torso')
    neck, head = joints['neck'], joints['head']
    brush.limb((neck, _between(neck, head, 1.2)), (0.032, 0.029), look.skin, 'neck')


def _paint_skirt(brush: Brush) -> None:
    joints, look = brush.skeleton.joints, brush.look
    size, length = look.shape.height, 0.45 + 0.3 * look.loose
    up = np.sum([joints[f'{side}_hip'] - joints[f'{side}_knee'] for side in SIDES], axis=0)
    for step in np.linspace(0, 1, 7):
        share = step * length
        left, right = (_between(joints[f'{side}_hip'], joints[f'{side}_knee'], share) for side in SIDES)
        apart = float(np.linalg.norm(left - right)) / 2
        turn = frame_along(left - right, up)
        radii = np.array((apart + (0.05 + 0.02 * share) * size, 0.07 * size, (0.062 + 0.02 * share) * size))
        cloth = _cloth(brush.layer, look.bottom, -0.245 * share * size)
        brush.blob((left + right) / 2, turn, radii, look.bottom, 'skirt', cloth, True)


def _paint_backpack(brush: Brush) -> None:
    chest, frame = brush.skeleton.joints['chest'], brush.skeleton.frames['chest']
    size = brush.look.shape.height
    brush.blob(
        chest + frame @ (np.array((0, 0.03, -0.105)) * size),
        frame,
        np.array((0.085, 0.125, 0.06)) * size,
        brush.look.shoe,
        'backpack',
    )


def paint_person(camera: Camera, bounds: Window, skeleton: Skeleton, look: Appearance, light: Light) -> Layer | None:
    """Paint a person alone.

    Args:
        camera: The view.
        bounds: Part of the image to stay inside, usually all of it.
        skeleton: Posed, in the camera frame.
        look: The person's appearance.
        light: The lamp.

    Returns:
        The :class:`Layer`, parts numbered as in ``body_parts.PARTS``; ``None`` if nothing of the person is in view.
    """
    points = np.stack(list(skeleton.joints.values()))
    if points[:, 2].min() < 0.3:
        return None
    pixels, margin = camera.project(points), 0.2 * look.shape.height * camera.focal / points[:, 2].min()
    window = clip_window(pixels.min(0) - margin, pixels.max(0) + margin, bounds)
    if window is None:
        return None
    brush = Brush(Layer(window), camera, skeleton, look, light)
    _paint_trunk(brush)
    for side in SIDES:
        for paint in (_paint_leg, _paint_foot, _paint_arm, _paint_hand):
            paint(brush, side)
    if look.bottom_style == 'skirt':
        _paint_skirt(brush)
    if look.backpack:
        _paint_backpack(brush)
    paint_head(brush.layer, camera, skeleton, look, light)
    return brush.layer
