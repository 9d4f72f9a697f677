"""The state of one visitor: the image, the people in it, the page's settings, and what a click chose."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

import numpy as np
from mmpose.structures import PoseDataSample

from mmtranspose.app.counterfactual import GREY, Counterfactual
from mmtranspose.app.painting import Stroke
from mmtranspose.app.place_maps import PlaceMaps
from mmtranspose.explain import PoseExplanation
from mmtranspose.visualization.heat import OPACITY

MAX_PEOPLE = 30  # shown at once, those with the highest scores
REACH = 1 / 40  # of the image's longer side: how far from a keypoint a click still means it
LEAST_REACH = 8.0  # pixels, in small images
BOTH, BEFORE, AFTER = COMPARED = ('both', 'before', 'after')


@dataclass(frozen=True)
class Settings:
    """The values of the page's controls.

    Attributes:
        kind (str): ``'dependency'``, ``'affect'``, or a method's name.
        layer (int): From 0 on; methods have no layers.
        head (int | None): From 0 on; None averages. Methods have no heads.
        bbox_thr (float): People whose box has a score of at least this are shown.
        kpt_thr (float): Keypoints with at least this score are shown and can be clicked.
        opacity (float): Opacity of the map where its weight is highest, 0 to 1.
        threshold (float): Weights up to this share of the map's highest are not drawn, 0 to 1.
        replacement (str): What takes the place of what is painted; see :mod:`mmtranspose.app.counterfactual`.
        compared (str): Which of the two poses is drawn where something is painted: one of :data:`COMPARED`.
    """

    kind: str = 'dependency'
    layer: int = 0
    head: int | None = None
    bbox_thr: float = 0.3
    kpt_thr: float = 0.3
    opacity: float = OPACITY
    threshold: float = 0.0
    replacement: str = GREY
    compared: str = BOTH


@dataclass(frozen=True)
class Choice:
    """What was clicked: a keypoint of a person or a place on a person.

    Attributes:
        person (int): Number of the person's box.
        keypoint (int | None): Number of the keypoint; None for a place.
        cell (tuple[int, int] | None): The place, as (row, col) of the token grid of the person's crop; None for a
            keypoint.
    """

    person: int
    keypoint: int | None = None
    cell: tuple[int, int] | None = None


@dataclass
class Session:
    """One image and what was found in it. Maps of only one person and one place are kept, which bounds the memory.

    Attributes:
        image (np.ndarray): (h, w, 3), BGR, uint8.
        boxes (np.ndarray): (N, 5), xyxy in pixels and score; float32.
        poses (dict[int, PoseDataSample]): Poses of the people who are shown, by number of the box.
        choice (Choice | None): What is explained.
        corner (tuple[float, float] | None): (x, y) of a box's first corner, while its second is awaited.
        explanation (tuple[int, PoseExplanation] | None): Number and explanation of the person looked at last.
        place (tuple[Choice, PlaceMaps] | None): The place looked at last, and its maps.
        drawn (tuple[tuple, np.ndarray] | None): What the image with poses was drawn with, and that image.
        strokes (list[Stroke]): What is painted, in order.
        counterfactual (tuple[tuple, Counterfactual] | None): What was compared last, and the comparison.
        id (str): Names the image to the page, which sends it back with each stroke.
        answered (int): Number of the last stroke that came from the page, whether it was added or not.
    """

    image: np.ndarray
    boxes: np.ndarray
    poses: dict[int, PoseDataSample] = field(default_factory=dict)
    choice: Choice | None = None
    corner: tuple[float, float] | None = None
    explanation: tuple[int, PoseExplanation] | None = None
    place: tuple[Choice, PlaceMaps] | None = None
    drawn: tuple[tuple, np.ndarray] | None = None
    strokes: list[Stroke] = field(default_factory=list)
    counterfactual: tuple[tuple, Counterfactual] | None = None
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    answered: int = 0

    @property
    def size(self) -> tuple[int, int]:
        """(h, w) of the image."""
        return self.image.shape[0], self.image.shape[1]

    def shown(self, bbox_thr: float) -> list[int]:
        """Give the numbers of the boxes with a score of at least ``bbox_thr``, the best ``MAX_PEOPLE`` of them."""
        order = np.lexsort((-np.arange(len(self.boxes)), -self.boxes[:, 4]))  # of equal ones the newest first
        return [int(index) for index in order if self.boxes[index, 4] >= bbox_thr][:MAX_PEOPLE]


def find_keypoint(session: Session, point: tuple[float, float], settings: Settings) -> Choice | None:
    """Find the shown keypoint nearest to ``point`` (x, y), in pixels of the image; None if none is within reach."""
    nearest, found = max(LEAST_REACH, max(session.size) * REACH), None
    for person in session.shown(settings.bbox_thr):
        pose = session.poses[person].pred_instances
        distances = np.linalg.norm(pose.keypoints[0] - np.asarray(point), axis=-1)
        distances = np.where(pose.keypoint_scores[0] >= settings.kpt_thr, distances, np.inf)
        keypoint = int(distances.argmin())
        if distances[keypoint] <= nearest:
            nearest, found = distances[keypoint], Choice(person, keypoint=keypoint)
    return found


def find_person(session: Session, point: tuple[float, float], settings: Settings) -> int | None:
    """Find the shown person whose box holds ``point`` (x, y); of several the one with the smallest box."""
    x, y = point
    inside = [
        person
        for person in session.shown(settings.bbox_thr)
        if (session.boxes[person, :2] <= (x, y)).all() and (session.boxes[person, 2:4] >= (x, y)).all()
    ]
    return min(inside, key=lambda person: np.prod(session.boxes[person, 2:4] - session.boxes[person, :2]), default=None)


def box_between(corner: tuple[float, float], other: tuple[float, float], size: tuple[int, int]) -> np.ndarray | None:
    """Make the box between two clicked corners (x, y), cut off at the border of an image of ``size`` (h, w).

    Returns:
        np.ndarray | None: (1, 5), xyxy in pixels and score 1; None if it would be narrower or lower than two pixels.
    """
    corners = np.clip([corner, other], 0, (size[1], size[0]))
    low, high = corners.min(0), corners.max(0)
    if (high - low < 2).any():
        return None
    return np.array([[*low, *high, 1]], np.float32)
