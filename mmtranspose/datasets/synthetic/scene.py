"""Whole pictures: a place, people and things in it, and what is known about the people."""
import math
from dataclasses import dataclass, field
from typing import List, Optional, Tuple

import cv2
import numpy as np

from .appearance import Appearance, sample_appearance
from .background import paint_background
from .body import paint_person
from .camera import Camera, aim
from .effects import camera_effects
from .objects import THINGS, paint_seat
from .painter import NOTHING, Layer, Light
from .parts import DEPTH_BELOW_SURFACE, PARTS, SHOWS
from .poses import sample_pose
from .skeleton import Pose, Skeleton, coco_keypoints, forward_kinematics
from .textures import brightened

SUPERSAMPLING = 2
MIN_MASK_AREA, MIN_VISIBLE_SHARE = 300, .06
THING_ID = 3000


@dataclass(frozen=True)
class Actor:
    """A person placed in the world: skeleton in the world frame, feet on the ground."""
    look: Appearance
    family: str
    pose: Pose
    yaw: float
    spot: np.ndarray  # (3,) on the ground
    skeleton: Skeleton


@dataclass(frozen=True)
class Person:
    """What is known about one person of a picture.

    ``keypoints`` (17, 3): x, y in pixels and COCO's visibility (0 outside the picture, x = y = 0; 1 occluded; 2 visible);
    ``mask`` bool (h, w): the visible pixels; ``amodal_area``: pixels the person would fill alone; ``family``: the pose.
    """
    keypoints: np.ndarray
    mask: np.ndarray
    amodal_area: int
    family: str

    @property
    def area(self) -> int:
        """Visible pixels."""
        return int(self.mask.sum())

    @property
    def bbox(self) -> Tuple[int, int, int, int]:
        """Tight box (x, y, w, h) of the visible pixels."""
        columns, rows = np.flatnonzero(self.mask.any(0)), np.flatnonzero(self.mask.any(1))
        return (int(columns[0]), int(rows[0]), int(columns[-1] - columns[0] + 1), int(rows[-1] - rows[0] + 1))


@dataclass
class Scene:
    """A picture, uint8 BGR (h, w, 3), and the people that can be seen in it."""
    image: np.ndarray
    people: List[Person] = field(default_factory=list)
    place: str = ''


def place_actor(rng: np.random.Generator, spot: np.ndarray, look: Optional[Appearance] = None) -> Actor:
    """Draw a person and stand it on the ground at a world position (3,), facing anywhere."""
    look = sample_appearance(rng) if look is None else look
    (family, pose), yaw = sample_pose(rng), rng.uniform(0, 360)
    skeleton = forward_kinematics(look.shape, pose, yaw)
    lowest = min(skeleton.joints.values(), key=lambda point: point[1])[1]
    jump = rng.uniform(.05, .3) if family in ('running', 'arms_up', 'lunging') and rng.random() < .2 else 0.
    lift = np.array((0, .022 * look.shape.height + jump - lowest, 0))
    return Actor(look, family, pose, yaw, spot, skeleton.transformed(np.eye(3), spot + lift))


def _point_camera(rng, size) -> Tuple[Camera, float]:
    """A camera, and the distance at which the chief person stands."""
    width, height = size
    focal = rng.uniform(.95, 1.9) * max(size)
    tall = rng.uniform(90, min(260, 1.12 * height))
    distance = focal * 1.7 / tall
    row = height * rng.uniform(.42, .62) if tall < .8 * height else height * rng.uniform(.42, .68)
    return aim(size, focal, rng.uniform(-4, 16), float(rng.normal(0, 2.5)), distance, .85, row), distance


def _spots(rng, camera: Camera, distance: float, count: int) -> List[np.ndarray]:
    """Places on the ground, over half a metre apart, the first at the given distance, none too far to be well seen."""
    spots, width, farthest = [], camera.size[0], camera.focal * 1.7 / 95
    for _ in range(8 * count):
        reach = distance if not spots else rng.uniform(.75 * distance, min(1.7 * distance, max(farthest, distance)))
        column = rng.uniform(.12, .88) * width if not spots else rng.uniform(0, 1) * width
        spot = np.array(((column - width / 2) / camera.focal * reach, 0., -reach))
        if all(math.dist(spot, other) > .55 for other in spots):
            spots.append(spot)
        if len(spots) == count:
            break
    return spots


def _sample_light(rng) -> Light:
    direction = np.array((rng.uniform(-1, 1), rng.uniform(-1, -.25), rng.uniform(-1, -.2)))
    strength = rng.uniform(.2, .75)
    return Light(tuple(direction / np.linalg.norm(direction)), 1.02 - .62 * strength, strength)


def _cast_shadows(image: np.ndarray, camera: Camera, actors: List[Actor], light: Light) -> np.ndarray:
    """The picture with the ground under the people darkened: their bones thrown down along the light, blurred."""
    up = camera.rotation.T @ np.array(light.direction)  # towards the lamp, world frame
    slope = np.array((up[0], 0, up[2])) / max(up[1], .45)
    shadow = np.zeros(image.shape[:2], np.uint8)
    bones = (('head', 'pelvis'), *((f'{s}_{a}', f'{s}_{b}') for s in ('left', 'right') for a, b in (
        ('shoulder', 'elbow'), ('elbow', 'wrist'), ('hip', 'knee'), ('knee', 'ankle'), ('heel', 'toe'))))
    for actor in actors:
        thick = max(1, int(.16 * camera.focal / -actor.spot[2]))
        for a, b in bones:
            ends = np.stack([actor.skeleton.joints[n] for n in (a, b)])
            ends = camera.to_camera(ends - ends[:, 1:2] * (slope + (0, 1, 0)))
            if ends[:, 2].min() > .3:
                a_px, b_px = np.int32(np.clip(camera.project(ends), -4000, 4000)).tolist()
                cv2.line(shadow, a_px, b_px, 255, 2 * thick if a == 'head' else thick)
    return brightened(image, 1 - np.float32(.45 / 255) * cv2.GaussianBlur(shadow, None, 2.5))


def _paint_things(rng, layer: Layer, camera: Camera, distance: float, light: Light) -> None:
    count = rng.choice(5, p=(.2, .25, .25, .2, .1))
    for number in range(count):
        front = rng.random() < .4
        reach = distance * (rng.uniform(.5, .9) if front else rng.uniform(1.05, 2.2))
        column = rng.uniform(-.05, 1.05) * camera.size[0]
        spot = np.array(((column - camera.centre[0]) / camera.focal * reach, 0., -reach))
        THINGS[rng.integers(len(THINGS))](layer, camera, spot, rng, light, THING_ID + number)


def _visibility(keypoints: np.ndarray, depths: np.ndarray, layer: Layer, offset: int, height: float) -> np.ndarray:
    """COCO's flags (17,) from the scene's part and depth buffers (not supersampled)."""
    rows, columns = layer.part.shape
    x, y = np.round(keypoints).astype(int).T
    inside = (x >= 0) & (y >= 0) & (x < columns) & (y < rows)
    x, y = np.clip(x, 0, columns - 1), np.clip(y, 0, rows - 1)
    part, surface = layer.part[y, x] - offset, layer.depth[y, x]
    own = (part >= 0) & (part < len(PARTS))
    shown = own & SHOWS[np.arange(17), np.where(own, part, 0)] & (depths - surface < DEPTH_BELOW_SURFACE * height * 1.3)
    return np.where(inside, 1 + shown, 0)


def _describe(actor: Actor, offset: int, camera: Camera, layer: Layer, amodal_area: int) -> Optional[Person]:
    """The person's labels, or ``None`` when too little of it can be seen."""
    mask = (layer.part >= offset) & (layer.part < offset + len(PARTS))
    area = int(mask.sum())
    if area < max(MIN_MASK_AREA, MIN_VISIBLE_SHARE * amodal_area):
        return None
    points = camera.to_camera(coco_keypoints(actor.look.shape, actor.skeleton))
    pixels = camera.project(points)
    flags = _visibility(pixels, points[:, 2], layer, offset, actor.look.shape.height)
    labels = np.column_stack((np.where(flags[:, None] > 0, pixels, 0), flags))
    return Person(labels, mask, amodal_area, actor.family) if (flags > 0).any() else None


def render_scene(rng: np.random.Generator, size: Tuple[int, int]) -> Scene:
    """Draw a picture of one to four people somewhere.

    Args:
        rng: Source of randomness; equal generators give equal pictures.
        size: Picture (w, h) in pixels.

    Returns:
        The picture and its people, those of whom next to nothing can be seen left out.
    """
    camera, distance = _point_camera(rng, size)
    light = _sample_light(rng)
    spots = _spots(rng, camera, distance, 1 + rng.choice(4, p=(.45, .3, .15, .1)))
    actors = [place_actor(rng, spot) for spot in spots]
    place, image = paint_background(rng, camera)
    image = _cast_shadows(image, camera, actors, light)
    layer, areas = _paint_actors(rng, camera, actors, light)
    _paint_things(rng, layer, camera.scaled(SUPERSAMPLING), distance, light)
    image, small = _compose(rng, image, layer)
    people = [_describe(actor, _offset(i), camera, small, areas[i]) for i, actor in enumerate(actors)]
    return Scene(camera_effects(rng, image), [person for person in people if person is not None], place)


def _offset(index: int) -> int:
    return index * len(PARTS)


def _paint_actors(rng, camera: Camera, actors: List[Actor], light: Light) -> Tuple[Layer, List[int]]:
    """All people and their seats in one layer, and the area each fills alone, in pixels of the picture."""
    fine = camera.scaled(SUPERSAMPLING)
    layer, areas = Layer((0, 0, *fine.size)), []
    for number, actor in enumerate(actors):
        body = paint_person(fine, layer.window, actor.skeleton.transformed(fine.rotation, fine.translation), actor.look,
                            light)  # yapf: disable
        areas.append(0 if body is None else int((body.part != NOTHING).sum()) // SUPERSAMPLING**2)
        if body is not None:
            layer.merge(body, _offset(number))
        if actor.family == 'sitting':
            pelvis = actor.skeleton.joints['pelvis']
            paint_seat(layer, fine, pelvis, actor.yaw, max(.1, pelvis[1] - .062 * actor.look.shape.height), rng, light,
                       THING_ID - 1 - number)  # yapf: disable
    return layer, areas


def _compose(rng, image: np.ndarray, layer: Layer) -> Tuple[np.ndarray, Layer]:
    """Lay the supersampled layer over the background; also its buffers at the picture's resolution."""
    size, step = image.shape[1::-1], SUPERSAMPLING
    covered = (layer.part != NOTHING).view(np.uint8) * np.uint8(255)
    share = cv2.resize(covered, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    color = cv2.resize(layer.resolve(rng), size, interpolation=cv2.INTER_AREA)
    small = Layer((0, 0, *size))
    small.part, small.depth = layer.part[::step, ::step], layer.depth[::step, ::step]
    return cv2.add(brightened(image, 1 - share), color, dtype=cv2.CV_32F), small
