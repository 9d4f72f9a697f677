"""Image files and their bounding boxes for the modes that read images."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from mmtranspose.benchmark.benchmark_settings import BenchmarkSettings
from mmtranspose.crops.boxes import load_bboxes
from mmtranspose.datasets.synthetic import render_scene
from mmtranspose.errors import InputError
from mmtranspose.files.json_files import write_json

SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.webp')
SIZE = (640, 480)  # (w, h), COCO's usual one
JITTER = 0.05  # of a box's size, by which copies of a box are moved where fewer people were drawn than asked for


def image_files(settings: BenchmarkSettings, folder: Path) -> list[tuple[str, str]]:
    """Pairs of an image file and its box file: the given ones, or synthetic people drawn into ``folder``.

    Raises:
        InputError: There are no images, or an image has no box file or an empty one.
    """
    if settings.images is None or settings.bboxes is None:
        return [_draw(folder, index, settings.people) for index in range(settings.num_images)]
    given = Path(settings.images)
    if not given.is_dir():
        raise InputError(f'--images {given} is not a folder')
    images = sorted(path for path in given.iterdir() if path.suffix.lower() in SUFFIXES)
    if not images:
        raise InputError(f'--images {given} holds no images ({", ".join(SUFFIXES)})')
    pairs = [(str(path), str(Path(settings.bboxes) / f'{path.stem}.json')) for path in images]
    for _, boxes in pairs:
        if not len(load_bboxes(boxes)):
            raise InputError(f'box file {boxes} is empty: MMPose would take the whole image for a person')
    return pairs


def _draw(folder: Path, index: int, people: int) -> tuple[str, str]:
    """Draw image ``index`` unless it is there, and write ``people`` boxes for it."""
    image, boxes = folder / f'{index:04}.jpg', folder / f'{index:04}.json'
    if boxes.is_file():
        return str(image), str(boxes)
    rng = np.random.default_rng((0, index))
    scene = render_scene(rng, SIZE)
    while not scene.people:
        scene = render_scene(rng, SIZE)
    found = np.array([person.bbox for person in scene.people], float)  # xywh
    chosen = found[np.arange(people) % len(found)]
    copies = chosen[len(found) :]
    copies[:, :2] += rng.uniform(-JITTER, JITTER, (len(copies), 2)) * copies[:, 2:]
    image.write_bytes(cv2.imencode('.jpg', scene.image)[1].tobytes())
    write_json(boxes, [dict(bbox=box) for box in chosen.tolist()])
    return str(image), str(boxes)
