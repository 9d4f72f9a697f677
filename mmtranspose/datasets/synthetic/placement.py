"""Choose what an image shows: its difficulty, the people and where they stand, the camera and the light."""

import math
from dataclasses import dataclass

import numpy as np

from mmtranspose.datasets.synthetic.appearance import Appearance, sample_appearance
from mmtranspose.datasets.synthetic.painter import Light
from mmtranspose.datasets.synthetic.pinhole_camera import Camera, aim
from mmtranspose.datasets.synthetic.poses import FAMILIES, sample_pose
from mmtranspose.datasets.synthetic.skeleton import Pose, Skeleton, forward_kinematics


@dataclass(frozen=True)
class Difficulty:
    """What an image may show.

    Args:
        families: Names of the families of poses.
        turn: Largest angle in degrees by which people turn away from the camera to either side; 180: any direction.
        people: Probabilities of 1, 2, ... people.
        things: Probabilities of 0, 1, ... things.
        things_in_front: Share of the things that stand in front of the people.
    """

    families: tuple[str, ...] = tuple(family.__name__ for family in FAMILIES)
    turn: float = 180.0
    people: tuple[float, ...] = (0.45, 0.3, 0.15, 0.1)
    things: tuple[float, ...] = (0.2, 0.25, 0.25, 0.2, 0.1)
    things_in_front: float = 0.4


DIFFICULTIES = {
    'full': Difficulty(),
    'easy': Difficulty(
        families=('standing', 'walking', 'arms_up'),
        turn=25.0,
        people=(0.85, 0.15),
        things=(0.6, 0.4),
        things_in_front=0.0,
    ),
}
"""``full``: everything. ``easy``: one or two upright people who face the camera; a small network learns them soon."""


@dataclass(frozen=True)
class Actor:
    """A person placed in the world: the skeleton is in the world frame, its feet on the ground."""

    look: Appearance
    family: str
    pose: Pose
    yaw: float
    spot: np.ndarray  # (3,) on the ground
    skeleton: Skeleton


def place_actor(rng: np.random.Generator, spot: np.ndarray, difficulty: Difficulty) -> Actor:
    """Draw a person who stands on the ground at a world position (3,), turned as far as ``difficulty`` allows."""
    look = sample_appearance(rng)
    (family, pose), yaw = sample_pose(rng, difficulty.families), rng.uniform(-difficulty.turn, difficulty.turn)
    skeleton = forward_kinematics(look.shape, pose, yaw)
    lowest = min(skeleton.joints.values(), key=lambda point: point[1])[1]
    jump = rng.uniform(0.05, 0.3) if family in ('running', 'arms_up', 'lunging') and rng.random() < 0.2 else 0.0
    lift = np.array((0, 0.022 * look.shape.height + jump - lowest, 0))
    return Actor(look, family, pose, yaw, spot, skeleton.transformed(np.eye(3), spot + lift))


def point_camera(rng: np.random.Generator, size: tuple[int, int]) -> tuple[Camera, float]:
    """Draw a camera for an image of size (w, h), and the distance in metres at which the main person stands."""
    height = size[1]
    focal = rng.uniform(0.95, 1.9) * max(size)
    tall = rng.uniform(90, min(260, 1.12 * height))
    distance = focal * 1.7 / tall
    row = height * rng.uniform(0.42, 0.62) if tall < 0.8 * height else height * rng.uniform(0.42, 0.68)
    return aim(size, focal, rng.uniform(-4, 16), float(rng.normal(0, 2.5)), distance, 0.85, row), distance


def choose_spots(rng: np.random.Generator, camera: Camera, distance: float, count: int) -> list[np.ndarray]:
    """Draw places (3,) on the ground, at least 0.8 m apart: the first at ``distance``, none too far to be seen well."""
    spots: list[np.ndarray] = []
    width, farthest = camera.size[0], camera.focal * 1.7 / 95
    for _ in range(8 * count):
        reach = distance if not spots else rng.uniform(0.75 * distance, min(1.7 * distance, max(farthest, distance)))
        column = rng.uniform(0.12, 0.88) * width if not spots else rng.uniform(0, 1) * width
        spot = np.array(((column - width / 2) / camera.focal * reach, 0.0, -reach))
        if all(math.dist(spot, other) > 0.8 for other in spots):
            spots.append(spot)
        if len(spots) == count:
            break
    return spots


def sample_light(rng: np.random.Generator) -> Light:
    """Draw a lamp above the scene, somewhere on the camera's side."""
    direction = np.array((rng.uniform(-1, 1), rng.uniform(-1, -0.25), rng.uniform(-1, -0.2)))
    strength = rng.uniform(0.2, 0.75)
    x, y, z = direction / np.linalg.norm(direction)
    return Light((x, y, z), 1.02 - 0.62 * strength, strength)
