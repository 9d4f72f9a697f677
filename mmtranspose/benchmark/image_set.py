"""The images and boxes of the end-to-end benchmark."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from mmtranspose.benchmark.settings import Settings
from mmtranspose.crops.boxes import load_bboxes
from mmtranspose.datasets.synthetic import render_scene
from mmtranspose.errors import InputError
from mmtranspose.files.json_files import write_json

SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.webp')


SIZE = (640, 480)  # (w, h), COCO's usual one


JITTER = 0.05  # of a box's size: a box for each of the people that are asked for, where fewer were drawn


def image_files(settings: Settings) -> list[tuple[str, str]]:
    """Pairs of an image's file and that of its boxes: the given ones, or synthetic people drawn for this.

    Raises:
        InputError: There are no images, or one has no file of boxes or an empty one.
    """
    if settings.images is None:
        return [_draw(settings.folder, index, settings.people) for index in range(settings.pictures)]
    folder = Path(settings.images)
    if not folder.is_dir():
        raise InputError(f'--images {folder} is not a folder')
    pictures = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    if not pictures:
        raise InputError(f'--images {folder} holds no images ({", ".join(SUFFIXES)})')
    pairs = [(str(path), str(Path(settings.bboxes) / f'{path.stem}.json')) for path in pictures]
    for _, boxes in pairs:
        if not len(load_bboxes(boxes)):
            raise InputError(f'box file {boxes} is empty: MMPose would take the whole image for a person')
    return pairs


def _draw(folder: Path, index: int, people: int) -> tuple[str, str]:
    """Draw image ``index`` and write as many boxes as there should be people."""
    picture, boxes = folder / f'{index:04}.jpg', folder / f'{index:04}.json'
    if boxes.is_file():
        return str(picture), str(boxes)
    rng = np.random.default_rng((0, index))
    scene = render_scene(rng, SIZE)
    while not scene.people:
        scene = render_scene(rng, SIZE)
    found = np.array([person.bbox for person in scene.people], float)  # xywh
    chosen = found[np.arange(people) % len(found)]
    copies = chosen[len(found) :]
    copies[:, :2] += rng.uniform(-JITTER, JITTER, (len(copies), 2)) * copies[:, 2:]
    picture.write_bytes(cv2.imencode('.jpg', scene.image)[1].tobytes())
    write_json(boxes, [dict(bbox=box) for box in chosen.tolist()])
    return str(picture), str(boxes)
