"""Contact sheets: images with their labels drawn over, for people to look at."""

from collections.abc import Sequence

import cv2
import numpy as np

from mmtranspose.datasets.synthetic.labels import COCO_SKELETON, Person
from mmtranspose.datasets.synthetic.scene import Scene
from mmtranspose.datasets.synthetic.skeleton import COCO_KEYPOINTS

LEFT, RIGHT, MIDDLE, BOX = (60, 200, 60), (60, 130, 255), (255, 200, 60), (255, 255, 255)


def _color(name: str) -> tuple[int, int, int]:
    return LEFT if name.startswith('left') else RIGHT if name.startswith('right') else MIDDLE


def draw_person(image: np.ndarray, person: Person, scale: float) -> None:
    """Draw a person's labels over an image (uint8 BGR, in place) that was enlarged ``scale`` times.

    Left is green, right orange; a visible keypoint is a filled disc, an occluded one a ring; the box is white.
    """
    points = np.int32(np.round((person.keypoints[:, :2] + 0.5) * scale))
    flags = person.keypoints[:, 2]
    for a, b in COCO_SKELETON:
        if flags[a - 1] and flags[b - 1]:
            cv2.line(image, points[a - 1].tolist(), points[b - 1].tolist(), (225, 225, 225), 1, cv2.LINE_AA)
    for name, point, flag in zip(COCO_KEYPOINTS, points.tolist(), flags):
        if flag:
            cv2.circle(image, point, 4, _color(name), -1 if flag == 2 else 1, cv2.LINE_AA)
    x, y, width, height = (np.array(person.bbox) * scale).astype(int).tolist()
    cv2.rectangle(image, (x, y), (x + width, y + height), BOX, 1)


def draw_scene(scene: Scene, cell: tuple[int, int], labels: bool = True) -> np.ndarray:
    """The image, enlarged or shrunk into a cell (w, h) on grey, with its labels; uint8 BGR."""
    height, width = scene.image.shape[:2]
    scale = min(cell[0] / width, cell[1] / height)
    image = cv2.resize(scene.image, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_CUBIC)
    if labels:
        for person in scene.people:
            draw_person(image, person, scale)
    sheet = np.full((cell[1], cell[0], 3), 40, np.uint8)
    top, left = (cell[1] - image.shape[0]) // 2, (cell[0] - image.shape[1]) // 2
    sheet[top : top + image.shape[0], left : left + image.shape[1]] = image
    return sheet


def contact_sheet(
    scenes: Sequence[Scene], columns: int = 4, cell: tuple[int, int] = (480, 400), labels: bool = True
) -> np.ndarray:
    """Scenes in rows of ``columns`` cells (w, h), uint8 BGR.

    Raises:
        ValueError: If there are no scenes.
    """
    if not scenes:
        raise ValueError('contact_sheet needs at least one scene')
    cells = [draw_scene(scene, cell, labels) for scene in scenes]
    cells += [np.full_like(cells[0], 40)] * (-len(cells) % columns)
    return np.vstack([np.hstack(cells[i : i + columns]) for i in range(0, len(cells), columns)])
