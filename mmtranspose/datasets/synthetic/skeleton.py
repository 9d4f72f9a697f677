"""The articulated skeleton of a person: its bones, the limits of its joints, and forward kinematics.

Body frame: x to the person's left, y up, z forward (right-handed), metres. With every angle at zero the person stands
upright, arms hanging down. Angles are degrees, named after the anatomy (``left_knee_flexion``): positive flexion bends
a knee backwards, a hip, shoulder, elbow, neck or spine forwards; positive abduction lifts a limb away from the body;
positive twist turns a limb outwards and the spine or neck to the person's left.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple

import numpy as np

Pose = dict[str, float]

COCO_KEYPOINTS = (
    'nose',
    'left_eye',
    'right_eye',
    'left_ear',
    'right_ear',
    'left_shoulder',
    'right_shoulder',
    'left_elbow',
    'right_elbow',
    'left_wrist',
    'right_wrist',
    'left_hip',
    'right_hip',
    'left_knee',
    'right_knee',
    'left_ankle',
    'right_ankle',
)

_TRUNK_LIMITS = {
    'pelvis_pitch': (-25, 80),
    'pelvis_roll': (-25, 25),
    'spine_flexion': (-25, 70),
    'spine_side': (-30, 30),
    'spine_twist': (-40, 40),
    'neck_flexion': (-40, 45),
    'neck_side': (-30, 30),
    'neck_twist': (-65, 65),
}
_LIMB_LIMITS = {
    'clavicle_lift': (0, 28),
    'shoulder_flexion': (-50, 180),
    'shoulder_abduction': (-15, 165),
    'shoulder_twist': (-80, 60),
    'elbow_flexion': (0, 145),
    'wrist_flexion': (-50, 60),
    'hip_flexion': (-25, 125),
    'hip_abduction': (-18, 50),
    'hip_twist': (-25, 40),
    'knee_flexion': (0, 145),
    'ankle_flexion': (-25, 45),
}

JOINT_LIMITS = {
    **_TRUNK_LIMITS,
    **{f'{side}_{name}': limits for side in ('left', 'right') for name, limits in _LIMB_LIMITS.items()},
}
"""Smallest and largest angle of every degree of freedom, in degrees."""


class Bone(NamedTuple):
    """One node of the tree: where it hangs from its parent, and how its own frame turns."""

    name: str
    parent: str
    offset: tuple[float, float, float]  # in the parent's frame, fractions of the body height
    group: str  # the proportion of BodyShape that scales the offset
    turns: tuple[tuple[int, str, float], ...] = ()  # (axis, degree of freedom, factor), applied in order


def _trunk_bones() -> tuple[Bone, ...]:
    spine = ((0, 'spine_flexion', 0.5), (2, 'spine_side', 0.5), (1, 'spine_twist', 0.5))
    neck = ((0, 'neck_flexion', 0.5), (2, 'neck_side', 0.5), (1, 'neck_twist', 0.5))
    return (
        Bone('lumbar', 'pelvis', (0, 0.05, 0), 'trunk', spine),
        Bone('chest', 'lumbar', (0, 0.12, 0), 'trunk', spine),
        Bone('neck', 'chest', (0, 0.135, -0.004), 'trunk', neck),
        Bone('head', 'neck', (0, 0.038, 0.008), 'trunk', neck),
    )


def _limb_bones(side: str) -> tuple[Bone, ...]:
    out = 1 if side == 'left' else -1  # the sign of x, and of the turns that mirror
    arm = (
        (0, f'{side}_shoulder_flexion', -1),
        (2, f'{side}_shoulder_abduction', out),
        (1, f'{side}_shoulder_twist', out),
    )
    leg = ((0, f'{side}_hip_flexion', -1), (2, f'{side}_hip_abduction', out), (1, f'{side}_hip_twist', out))
    return (
        Bone(f'{side}_clavicle', 'chest', (0.02 * out, 0.118, 0), 'shoulder', ((2, f'{side}_clavicle_lift', out),)),
        Bone(f'{side}_shoulder', f'{side}_clavicle', (0.081 * out, -0.006, -0.004), 'shoulder', arm),
        Bone(f'{side}_elbow', f'{side}_shoulder', (0, -0.182, 0), 'arm', ((0, f'{side}_elbow_flexion', -1),)),
        Bone(f'{side}_wrist', f'{side}_elbow', (0, -0.148, 0), 'arm', ((0, f'{side}_wrist_flexion', -1),)),
        Bone(f'{side}_hand', f'{side}_wrist', (0, -0.085, 0), 'arm'),
        Bone(f'{side}_hip', 'pelvis', (0.052 * out, 0, 0), 'hip', leg),
        Bone(f'{side}_knee', f'{side}_hip', (0, -0.245, 0), 'leg', ((0, f'{side}_knee_flexion', 1),)),
        Bone(f'{side}_ankle', f'{side}_knee', (0, -0.246, 0), 'leg', ((0, f'{side}_ankle_flexion', 1),)),
        Bone(f'{side}_heel', f'{side}_ankle', (0, -0.024, -0.022), 'leg'),
        Bone(f'{side}_toe', f'{side}_ankle', (0.008 * out, -0.026, 0.100), 'leg'),
    )


@cache
def bones() -> tuple[Bone, ...]:
    """All bones, every parent before its children; the root is ``pelvis``."""
    return _trunk_bones() + _limb_bones('left') + _limb_bones('right')


@dataclass(frozen=True)
class BodyShape:
    """Proportions of one person: ``height`` in metres, all others as factors near 1."""

    height: float = 1.7
    trunk: float = 1.0
    shoulder: float = 1.0
    arm: float = 1.0
    hip: float = 1.0
    leg: float = 1.0
    head: float = 1.0
    girth: float = 1.0

    def bone_length(self, bone: Bone) -> float:
        """Length of a bone in metres, the same in every pose."""
        return self.height * getattr(self, bone.group) * math.hypot(*bone.offset)


@dataclass
class Skeleton:
    """A posed skeleton: joint positions (3,) and frames (3, 3) whose columns are left, up, forward."""

    joints: dict[str, np.ndarray] = field(default_factory=dict)
    frames: dict[str, np.ndarray] = field(default_factory=dict)

    def transformed(self, rotation: np.ndarray, translation: np.ndarray) -> Skeleton:
        """The skeleton under ``p -> rotation @ p + translation``; ``rotation`` is (3, 3), ``translation`` (3,)."""
        return Skeleton(
            {k: rotation @ p + translation for k, p in self.joints.items()},
            {k: rotation @ f for k, f in self.frames.items()},
        )


def rotation(axis: int, degrees: float) -> np.ndarray:
    """Right-handed rotation matrix (3, 3) about coordinate ``axis`` (0 x, 1 y, 2 z)."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    if axis == 0:
        return np.array(((1, 0, 0), (0, cos, -sin), (0, sin, cos)))
    if axis == 1:
        return np.array(((cos, 0, sin), (0, 1, 0), (-sin, 0, cos)))
    return np.array(((cos, -sin, 0), (sin, cos, 0), (0, 0, 1)))


def frame_along(left: np.ndarray, up: np.ndarray) -> np.ndarray:
    """The rotation (3, 3) whose first column is along ``left`` (3,), and its second as near to ``up`` as possible."""
    (a, b, c), size = left.tolist(), math.hypot(*left.tolist())
    a, b, c = a / size, b / size, c / size
    d, e, f = (up - (up @ left) / size**2 * left).tolist()
    size = math.hypot(d, e, f)
    d, e, f = d / size, e / size, f / size
    return np.array(((a, d, b * f - c * e), (b, e, c * d - a * f), (c, f, a * e - b * d)))


def clamp_pose(pose: Pose) -> Pose:
    """Clamp every angle of a pose to :data:`JOINT_LIMITS`, and set missing angles to 0.

    Raises:
        KeyError: If the pose names an unknown degree of freedom.
    """
    unknown = sorted(set(pose) - set(JOINT_LIMITS))
    if unknown:
        raise KeyError(f'pose names unknown degrees of freedom {unknown}; known are the keys of JOINT_LIMITS')
    return {name: min(max(pose.get(name, 0.0), low), high) for name, (low, high) in JOINT_LIMITS.items()}


def forward_kinematics(shape: BodyShape, pose: Pose, yaw: float = 0.0) -> Skeleton:
    """Pose the skeleton, pelvis at the origin.

    Args:
        shape: The person's proportions.
        pose: Angles in degrees by degree of freedom; missing ones are 0.
        yaw: Heading in degrees about y: 0 faces +z, 90 faces +x.

    Returns:
        Joint positions (metres) and frames in the world frame (y up).
    """
    root = rotation(1, yaw) @ rotation(0, pose.get('pelvis_pitch', 0.0)) @ rotation(2, pose.get('pelvis_roll', 0.0))
    skeleton = Skeleton({'pelvis': np.zeros(3)}, {'pelvis': root})
    for bone in bones():
        frame = skeleton.frames[bone.parent]
        scale = shape.height * getattr(shape, bone.group)
        skeleton.joints[bone.name] = skeleton.joints[bone.parent] + frame @ (np.array(bone.offset) * scale)
        for axis, name, factor in bone.turns:
            angle = pose.get(name, 0.0)
            frame = frame @ rotation(axis, factor * angle) if angle else frame
        skeleton.frames[bone.name] = frame
    return skeleton


def head_radii(shape: BodyShape) -> np.ndarray:
    """Half width, half height and half depth of the skull, (3,) metres."""
    return np.array((0.0470, 0.0620, 0.0565)) * shape.height * shape.head


def head_centre(shape: BodyShape, skeleton: Skeleton) -> np.ndarray:
    """Centre of the skull, (3,), in the skeleton's own frame of reference."""
    return skeleton.joints['head'] + skeleton.frames['head'] @ (np.array((0, 0.052, 0.008)) * shape.height * shape.head)


FACE_POINTS = {
    'nose': (0, -0.22, 1.12),
    'left_eye': (0.40, 0.06, 0.90),
    'right_eye': (-0.40, 0.06, 0.90),
    'left_ear': (1.02, -0.10, -0.08),
    'right_ear': (-1.02, -0.10, -0.08),
}
"""Positions of the keypoints of the face, in the head's frame and in units of :func:`head_radii`."""


def coco_keypoints(shape: BodyShape, skeleton: Skeleton) -> np.ndarray:
    """The 17 COCO keypoints (17, 3), in the skeleton's own frame of reference, metres."""
    centre, radii, frame = head_centre(shape, skeleton), head_radii(shape), skeleton.frames['head']
    return np.stack(
        [
            centre + frame @ (np.array(FACE_POINTS[name]) * radii) if name in FACE_POINTS else skeleton.joints[name]
            for name in COCO_KEYPOINTS
        ]
    )
