"""Draw the labels of a scene's people over its image, for a person to check."""

from __future__ import annotations

import cv2
import numpy as np

from mmtranspose.datasets.synthetic.labels import COCO_SKELETON, Person
from mmtranspose.datasets.synthetic.scene import Scene
from mmtranspose.datasets.synthetic.skeleton import COCO_KEYPOINTS

# BGR
LEFT = (60, 200, 60)
RIGHT = (60, 130, 255)
MIDDLE = (255, 200, 60)
LIMB = (225, 225, 225)
BOX = (255, 255, 255)


def draw_labels(scene: Scene, size: tuple[int, int]) -> np.ndarray:
    """Resize a scene's image and draw the labels of its people over it.

    A filled disc is a visible keypoint, a ring an occluded one. Keypoints of the person's left side are green, those of
    the right side orange; the bounding box is white.

    Args:
        scene (Scene): The image and its people.
        size (tuple[int, int]): Width and height that the result fits into, in pixels; the aspect ratio is kept.

    Returns:
        np.ndarray: (h, w, 3), BGR, uint8.
    """
    height, width = scene.image.shape[:2]
    scale = min(size[0] / width, size[1] / height)
    image = cv2.resize(scene.image, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_CUBIC)
    for person in scene.people:
        _draw_person(image, person, scale)
    return image


def _draw_person(image: np.ndarray, person: Person, scale: float) -> None:
    """Draw one person's labels into an image that was enlarged ``scale`` times."""
    points = np.round((person.keypoints[:, :2] + 0.5) * scale).astype(np.int32).tolist()
    flags = person.keypoints[:, 2]
    for a, b in COCO_SKELETON:
        if flags[a - 1] and flags[b - 1]:
            cv2.line(image, points[a - 1], points[b - 1], LIMB, 1, cv2.LINE_AA)
    for name, point, flag in zip(COCO_KEYPOINTS, points, flags):
        if flag:
            color = LEFT if name.startswith('left') else RIGHT if name.startswith('right') else MIDDLE
            cv2.circle(image, point, 4, color, -1 if flag == 2 else 1, cv2.LINE_AA)
    x, y, width, height = (np.array(person.bbox) * scale).astype(int).tolist()
    cv2.rectangle(image, (x, y), (x + width, y + height), BOX, 1)
