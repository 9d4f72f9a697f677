"""What one visitor looks at, and what a click in the image means."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from mmpose.structures import PoseDataSample

from mmtranspose.app.place_maps import PlaceMaps
from mmtranspose.explain import PoseExplanation
from mmtranspose.visualization.heat import OPACITY

MAX_PEOPLE = 30  # shown at once, those with the highest scores


REACH = 1 / 40  # of the image's longer side: how far from a keypoint a click still means it


@dataclass(frozen=True)
class Settings:
    """What the page's controls say.

    Attributes:
        kind (str): ``'dependency'``, ``'affect'``, or a method's name.
        layer (int): From 0 on; methods have no layers.
        head (int | None): From 0 on; None averages. Methods have no heads.
        bbox_thr (float): People whose box has a score of at least this are shown.
        kpt_thr (float): Keypoints with at least this score are shown and can be clicked.
        opacity (float): Of the map where its weight is highest, 0 to 1.
        threshold (float): Weights up to this share of the map's highest are not drawn, 0 to 1.
    """

    kind: str = 'dependency'
    layer: int = 0
    head: int | None = None
    bbox_thr: float = 0.3
    kpt_thr: float = 0.3
    opacity: float = OPACITY
    threshold: float = 0.0


@dataclass(frozen=True)
class Choice:
    """What was clicked.

    Attributes:
        person (int): Number of the box.
        keypoint (int | None): A keypoint; None: a place.
        cell (tuple[int, int] | None): Of a place: (row, col) of the token grid of the person's crop.
    """

    person: int
    keypoint: int | None = None
    cell: tuple[int, int] | None = None


@dataclass
class Session:
    """One image and what was found in it. Maps are kept of one person and one place alone: memory is bounded.

    Attributes:
        image (np.ndarray): (h, w, 3), BGR, uint8.
        boxes (np.ndarray): (N, 5), xyxy in pixels and score; float32.
        poses (dict[int, PoseDataSample]): By number of the box, of the people who are shown.
        choice (Choice | None): What is explained.
        corner (tuple[float, float] | None): (x, y) of a box's first corner, while its second is awaited.
        explanation (tuple[int, PoseExplanation] | None): Of the person looked at last, and that person's number.
        place (tuple[Choice, PlaceMaps] | None): The maps of the place looked at last.
        drawn (tuple[tuple, np.ndarray] | None): The image with poses, and what it was drawn with.
    """

    image: np.ndarray
    boxes: np.ndarray
    poses: dict[int, PoseDataSample] = field(default_factory=dict)
    choice: Choice | None = None
    corner: tuple[float, float] | None = None
    explanation: tuple[int, PoseExplanation] | None = None
    place: tuple[Choice, PlaceMaps] | None = None
    drawn: tuple[tuple, np.ndarray] | None = None

    def shown(self, bbox_thr: float) -> list[int]:
        """Numbers of the boxes with a score of at least ``bbox_thr``, the best :data:`MAX_PEOPLE` of them."""
        order = np.lexsort((-np.arange(len(self.boxes)), -self.boxes[:, 4]))  # of equal ones the newest first
        return [int(index) for index in order if self.boxes[index, 4] >= bbox_thr][:MAX_PEOPLE]


def find_keypoint(session: Session, point: tuple[float, float], settings: Settings) -> Choice | None:
    """The shown keypoint nearest to ``point`` (x, y), in pixels of the image; None where none is within reach."""
    nearest, found = max(8.0, max(session.image.shape[:2]) * REACH), None
    for person in session.shown(settings.bbox_thr):
        pose = session.poses[person].pred_instances
        distances = np.linalg.norm(pose.keypoints[0] - np.asarray(point), axis=-1)
        distances = np.where(pose.keypoint_scores[0] >= settings.kpt_thr, distances, np.inf)
        keypoint = int(distances.argmin())
        if distances[keypoint] <= nearest:
            nearest, found = distances[keypoint], Choice(person, keypoint=keypoint)
    return found


def find_person(session: Session, point: tuple[float, float], settings: Settings) -> int | None:
    """The shown person whose box holds ``point`` (x, y), that with the smallest box; None outside of all."""
    x, y = point
    inside = [
        person
        for person in session.shown(settings.bbox_thr)
        if (session.boxes[person, :2] <= (x, y)).all() and (session.boxes[person, 2:4] >= (x, y)).all()
    ]
    return min(inside, key=lambda person: np.prod(session.boxes[person, 2:4] - session.boxes[person, :2]), default=None)


def box_between(corner: tuple[float, float], other: tuple[float, float], size: tuple[int, int]) -> np.ndarray | None:
    """The box (1, 5), score 1, between two clicked corners (x, y), within an image of ``size`` (h, w).

    None where it would be narrower or lower than two pixels.
    """
    corners = np.clip([corner, other], 0, (size[1], size[0]))
    low, high = corners.min(0), corners.max(0)
    if (high - low < 2).any():
        return None
    return np.array([[*low, *high, 1]], np.float32)
