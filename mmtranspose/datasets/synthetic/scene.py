"""Draw whole images: a place with people and things in it, and the labels of the people."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

from mmtranspose.datasets.synthetic.body import paint_person
from mmtranspose.datasets.synthetic.body_parts import PARTS
from mmtranspose.datasets.synthetic.labels import Person, describe
from mmtranspose.datasets.synthetic.objects import THINGS, paint_seat
from mmtranspose.datasets.synthetic.painter import NOTHING, Layer, Light
from mmtranspose.datasets.synthetic.pinhole_camera import Camera
from mmtranspose.datasets.synthetic.placement import (
    DIFFICULTIES,
    Actor,
    Difficulty,
    choose_spots,
    place_actor,
    point_camera,
    sample_light,
)
from mmtranspose.datasets.synthetic.places import paint_background
from mmtranspose.datasets.synthetic.surfaces import brightened, grain, noise_window

FULL = DIFFICULTIES['full']
SUPERSAMPLING = 2
THING_ID = 3000
"""Part numbers from here on belong to things; those of people begin at 0."""


@dataclass
class Scene:
    """An image, uint8 BGR (h, w, 3), the people who can be seen in it, and the kind of place."""

    image: np.ndarray
    people: list[Person] = field(default_factory=list)
    place: str = ''


def _cast_shadows(image: np.ndarray, camera: Camera, actors: list[Actor], light: Light) -> np.ndarray:
    """Darken the ground under the people: their bones projected along the light, blurred."""
    up = camera.rotation.T @ np.array(light.direction)  # towards the lamp, world frame
    along = np.array((up[0], 0, up[2])) / max(up[1], 0.45) + np.array(
        (0, 1, 0)
    )  # from a point to its shadow, per metre
    shadow = np.zeros(image.shape[:2], np.uint8)
    bones = (
        ('head', 'pelvis'),
        *(
            (f'{s}_{a}', f'{s}_{b}')
            for s in ('left', 'right')
            for a, b in (('shoulder', 'elbow'), ('elbow', 'wrist'), ('hip', 'knee'), ('knee', 'ankle'), ('heel', 'toe'))
        ),
    )
    for actor in actors:
        thick = max(1, int(0.16 * camera.focal / -actor.spot[2]))
        for a, b in bones:
            ends = np.stack([actor.skeleton.joints[n] for n in (a, b)])
            ends = camera.to_camera(ends - ends[:, 1:2] * along)
            if ends[:, 2].min() > 0.3:
                start, stop = np.clip(camera.project(ends), -4000, 4000).astype(np.int32).tolist()
                cv2.line(shadow, start, stop, (255,), 2 * thick if a == 'head' else thick)
    return brightened(image, 1 - np.float32(0.45 / 255) * cv2.GaussianBlur(shadow, (0, 0), 2.5))


def _paint_things(
    rng: np.random.Generator, layer: Layer, camera: Camera, distance: float, light: Light, difficulty: Difficulty
) -> None:
    """Paint things beside, behind and in front of the people, who stand about ``distance`` metres away."""
    count = rng.choice(len(difficulty.things), p=difficulty.things)
    for number in range(count):
        front = rng.random() < difficulty.things_in_front
        reach = distance * (rng.uniform(0.5, 0.9) if front else rng.uniform(1.05, 2.2))
        column = rng.uniform(-0.05, 1.05) * camera.size[0]
        spot = np.array(((column - camera.centre[0]) / camera.focal * reach, 0.0, -reach))
        THINGS[rng.integers(len(THINGS))](layer, camera, spot, rng, light, THING_ID + number)


def render_scene(rng: np.random.Generator, size: tuple[int, int], difficulty: Difficulty = FULL) -> Scene:
    """Draw an image of one or more people somewhere.

    Args:
        rng: Source of randomness; equal generators give equal images.
        size: Image (w, h) in pixels.
        difficulty: What may appear.

    Returns:
        The image and its people; people of whom almost nothing can be seen are left out.
    """
    camera, distance = point_camera(rng, size)
    light = sample_light(rng)
    spots = choose_spots(rng, camera, distance, 1 + rng.choice(len(difficulty.people), p=difficulty.people))
    actors = [place_actor(rng, spot, difficulty) for spot in spots]
    place, image = paint_background(rng, camera)
    image = _cast_shadows(image, camera, actors, light)
    layer, areas = paint_actors(rng, camera, actors, light)
    _paint_things(rng, layer, camera.scaled(SUPERSAMPLING), distance, light, difficulty)
    image, small = _compose(rng, image, layer)
    people = [describe(actor, _offset(i), camera, small, areas[i]) for i, actor in enumerate(actors)]
    return Scene(camera_effects(rng, image), [person for person in people if person is not None], place)


def _offset(index: int) -> int:
    return index * len(PARTS)


def paint_actors(
    rng: np.random.Generator, camera: Camera, actors: list[Actor], light: Light
) -> tuple[Layer, list[int]]:
    """Paint all people and their seats into a layer; also returns the area that each person fills alone, in pixels."""
    fine = camera.scaled(SUPERSAMPLING)
    layer = Layer((0, 0, *fine.size))
    areas: list[int] = []
    for number, actor in enumerate(actors):
        body = paint_person(
            fine, layer.window, actor.skeleton.transformed(fine.rotation, fine.translation), actor.look, light
        )
        areas.append(0 if body is None else int((body.part != NOTHING).sum()) // SUPERSAMPLING**2)
        if body is not None:
            layer.merge(body, _offset(number))
        if actor.family == 'sitting':
            pelvis = actor.skeleton.joints['pelvis']
            paint_seat(
                layer,
                fine,
                pelvis,
                actor.yaw,
                max(0.1, pelvis[1] - 0.062 * actor.look.shape.height),
                rng,
                light,
                THING_ID - 1 - number,
            )
    return layer, areas


def _compose(rng: np.random.Generator, image: np.ndarray, layer: Layer) -> tuple[np.ndarray, Layer]:
    """Lay the supersampled layer over the background; also returns its buffers at the image's resolution."""
    size, step = (image.shape[1], image.shape[0]), SUPERSAMPLING
    covered = (layer.part != NOTHING).view(np.uint8) * np.uint8(255)
    share = cv2.resize(covered, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    color = cv2.resize(layer.resolve(rng), size, interpolation=cv2.INTER_AREA)
    small = Layer((0, 0, *size))
    small.part, small.depth = layer.part[::step, ::step], layer.depth[::step, ::step]
    return cv2.add(brightened(image, 1 - share), color, dtype=cv2.CV_32F), small


def camera_effects(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Apply mild random exposure, tint, blur and noise.

    Args:
        rng: Source of randomness.
        image: float32 BGR (h, w, 3), about 0..255.

    Returns:
        uint8 BGR (h, w, 3).
    """
    exposure = np.clip(rng.uniform(85, 160) / max(float(cv2.mean(image)[1]), 1.0), 0.7, 1.35)
    gain = exposure * rng.uniform(0.93, 1.07, 3)
    image = cv2.transform(image, np.column_stack((np.diag(gain), np.full(3, rng.uniform(-12, 12)))).astype(np.float32))
    if rng.random() < 0.5:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 1.1))
    if rng.random() < 0.07:
        length = int(rng.integers(3, 6))
        image = cv2.blur(image, (length, 1) if rng.random() < 0.5 else (1, length))
    noise = np.float32(rng.uniform(0, 6)) * noise_window(rng, (image.shape[0], image.shape[1]), grain())
    return cv2.convertScaleAbs(np.maximum(cv2.add(image, cv2.cvtColor(noise, cv2.COLOR_GRAY2BGR)), 0))
