"""From an image, the page's settings and clicks to what is found and explained; no page in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from torch import nn

from mmtranspose.app.place_maps import PlaceMaps, cell_at, explain_place
from mmtranspose.app.session import (
    Choice,
    Session,
    Settings,
    box_between,
    find_keypoint,
    find_person,
)
from mmtranspose.explain import ExplainOptions, PoseExplanation
from mmtranspose.explain.choices import check_choice
from mmtranspose.explain.explainer import explain_topdown, require_explainable
from mmtranspose.inference.pose_estimation import inference_topdown

DIRECTIONS = ('dependency', 'affect')


METHODS = ('rollout', 'gradient-attention', 'input-gradient')  # those that answer a click soon


class Explorer:
    """Finds people in images and explains them; holds the networks and nothing of the images.

    Args:
        model (nn.Module): From :func:`mmtranspose.apis.init_model`.
        find_boxes (Callable | None): From images (h, w, 3), BGR, uint8, to their boxes (N, 5), xyxy in pixels and
            score, such as a :class:`~mmtranspose.detection.PersonDetector`; None finds nobody, so that boxes are
            drawn by hand.

    Raises:
        InputError: The model cannot be explained.
    """

    def __init__(
        self, model: nn.Module, find_boxes: Callable[[Sequence[np.ndarray]], Sequence[np.ndarray]] | None = None
    ):
        require_explainable(model, ExplainOptions(affect=True, heads='all'))
        self.model = model
        self.find_boxes = find_boxes

    @property
    def num_layers(self) -> int:
        """Encoder layers L."""
        return len(self.model.neck.encoder.layers)

    @property
    def num_heads(self) -> int:
        """Heads of an encoder layer."""
        return self.model.neck.encoder.layers[0].self_attn.num_heads

    def start(self, image: np.ndarray) -> Session:
        """A session with the people of an image (h, w, 3), BGR, uint8."""
        boxes = np.zeros((0, 5)) if self.find_boxes is None else self.find_boxes([image])[0]
        return Session(image, np.asarray(boxes, np.float32).reshape(-1, 5))

    def pose(self, session: Session, settings: Settings) -> list[int]:
        """Estimate the poses that are shown and were not before; returns the numbers of all that are shown."""
        shown = session.shown(settings.bbox_thr)
        missing = [person for person in shown if person not in session.poses]
        poses = inference_topdown(self.model, session.image, session.boxes[missing])
        new = dict(zip(missing, poses, strict=True))
        session.poses = {person: new.get(person) or session.poses[person] for person in shown}
        return shown

    def click(self, session: Session, point: tuple[float, float], settings: Settings) -> bool:
        """Choose what lies at ``point`` (x, y), in pixels of the image.

        A keypoint within reach is chosen; elsewhere in a person's box the place; outside of all boxes nothing.

        Returns:
            bool: Something lies there.
        """
        self.pose(session, settings)
        choice = find_keypoint(session, point, settings)
        if choice is None:
            person = find_person(session, point, settings)
            choice = person if person is None else Choice(person, cell=cell_at(self.explained(session, person), point))
        session.choice = choice
        return choice is not None

    def add_corner(self, session: Session, point: tuple[float, float]) -> bool:
        """Take ``point`` (x, y) as a corner of a box that is drawn by hand; the second one makes a box of score 1.

        Returns:
            bool: There is a new box. False after the first corner, and where the two leave no room between them.
        """
        if session.corner is None:
            session.corner = point
            return False
        box = box_between(session.corner, point, session.image.shape[:2])
        session.corner = None
        if box is None:
            return False
        session.boxes = np.concatenate([session.boxes, box])
        session.choice = None
        return True

    def explained(self, session: Session, person: int, method: str | None = None) -> PoseExplanation:
        """A person's explanation, with a method's maps if one is named; the last person's is kept.

        Raises:
            InputError: The method is unknown.
        """
        last, kept = session.explanation or (None, None)
        if last != person or (method is not None and method not in kept.relevance):
            before = kept.relevance if last == person else {}
            methods = () if method is None else (method,)
            box = session.boxes[person : person + 1]
            [kept] = explain_topdown(self.model, session.image, box, affect=True, heads='all', methods=methods)
            kept.relevance.update(before)
            session.explanation = person, kept
        return kept

    def chosen_map(self, session: Session, settings: Settings) -> np.ndarray | None:
        """The map (h, w) over the token grid of what is chosen; None where a method is asked about a place.

        Raises:
            ValueError: The kind, the layer or the head is not there.
        """
        choice, direction = session.choice, settings.kind in DIRECTIONS
        check_choice('kind', settings.kind, (*DIRECTIONS, *METHODS))
        if choice.keypoint is None:
            return self._place(session).map(settings.kind, settings.layer, settings.head) if direction else None
        explanation = self.explained(session, choice.person, None if direction else settings.kind)
        if not direction:
            return explanation.relevance[settings.kind][choice.keypoint]
        return explanation.maps(settings.kind, settings.head)[settings.layer, choice.keypoint]

    def _place(self, session: Session) -> PlaceMaps:
        choice = session.choice
        if session.place is None or session.place[0] != choice:
            maps = explain_place(self.model, session.image, session.boxes[choice.person], choice.cell)
            session.place = choice, maps
        return session.place[1]
