"""Find people in an image and explain what was clicked: the logic behind the page, without the page."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from mmengine.dataset import pseudo_collate

from mmtranspose.acceleration import OpenVinoEncoders
from mmtranspose.app.offer import DIRECTIONS, TOKEN_ABLATION, Offer, ablation_stride, offer_of
from mmtranspose.app.place_maps import PlaceMaps, cell_at, explain_place
from mmtranspose.app.session import Choice, Session, Settings, box_between, find_keypoint, find_person
from mmtranspose.crops.crop_maker import CropMaker, prepare_crops
from mmtranspose.errors import InputError, require_choice
from mmtranspose.explain import PoseExplanation, explainer_of
from mmtranspose.explain.flip_test import uses_flip_test
from mmtranspose.explain.methods import TokenAblation
from mmtranspose.explain.recording import evaluating, recorded_layers
from mmtranspose.inference.pose_estimation import inference_topdown
from mmtranspose.keypoint_names import keypoint_names
from mmtranspose.typing import Batch, PoseEstimator

PASSES = 8  # of token ablation at a time: few, so that its progress is seen
NOBODY, NO_KEYPOINT = 'There is nobody at this place.', 'There is no keypoint at this place.'


class Explorer:
    """Finds people in images and explains their poses; keeps the networks, but nothing of the images.

    Args:
        model (PoseEstimator): From :func:`mmtranspose.apis.init_model`; or an exported file, from
            :func:`mmtranspose.apis.load_exported`.
        find_boxes (Callable | None): From images (h, w, 3), BGR, uint8, to their boxes (N, 5), xyxy in pixels and
            score, such as a :class:`~mmtranspose.detection.PersonDetector`; None finds nobody, so that boxes are
            drawn by hand.
        estimator (PoseEstimator | None): What estimates the poses that are not explained, such as the accelerated
            model; None: ``model``.

    Attributes:
        offer (Offer): What the model can show.
        names (list[str]): (K,), of the keypoints.
        stride (int): Side of the squares of tokens that token ablation replaces together.
        on_progress (Callable): Told the share of a long computation that is done, from 0 to 1.

    Raises:
        InputError: The model cannot be explained, or nothing says how its crops are cut.
    """

    def __init__(
        self,
        model: PoseEstimator,
        find_boxes: Callable[[Sequence[np.ndarray]], Sequence[np.ndarray]] | None = None,
        estimator: PoseEstimator | None = None,
    ):
        self.model = model
        self.estimator = model if estimator is None else estimator
        self.offer: Offer = offer_of(model)
        self.explainers: dict[str | None, Callable[[Batch], list[PoseExplanation]]] = {}
        if self.offer.kinds:
            self.explainers[None] = explainer_of(model, self.offer.options(None))
        cut = CropMaker(model)  # raises now what would else be raised at every image
        self.stride = ablation_stride(_grid(model, cut)) if self.offer.tokens_off else 1
        self.names = keypoint_names(model.dataset_meta)
        self.find_boxes = find_boxes
        self.on_progress: Callable[[float], object] = lambda _: None

    def start(self, image: np.ndarray) -> Session:
        """Find the people in an image (h, w, 3), BGR, uint8, and start a session with them."""
        boxes = np.zeros((0, 5)) if self.find_boxes is None else self.find_boxes([image])[0]
        return Session(image, np.asarray(boxes, np.float32).reshape(-1, 5))

    def pose(self, session: Session, settings: Settings) -> list[int]:
        """Estimate the poses of shown people who have none yet; returns the numbers of all people who are shown.

        What was chosen on a person who is not shown any more is forgotten.
        """
        shown = session.shown(settings.bbox_thr)
        missing = [person for person in shown if person not in session.poses]
        poses = inference_topdown(self.estimator, session.image, session.boxes[missing])
        new = dict(zip(missing, poses, strict=True))
        session.poses = {person: new.get(person) or session.poses[person] for person in shown}
        if session.choice is not None and session.choice.person not in shown:
            session.choice = None
        return shown

    def click(self, session: Session, point: tuple[float, float], settings: Settings) -> str:
        """Choose what lies at ``point`` (x, y), in pixels of the image.

        A keypoint within reach is chosen; elsewhere in a person's box the place, if the model explains places; outside
        of all boxes nothing.

        Returns:
            str: Why nothing was chosen, in sentences; empty if something was.
        """
        self.pose(session, settings)
        session.choice = find_keypoint(session, point, settings)
        if session.choice is not None:
            return ''
        person = find_person(session, point, settings)
        if person is None:
            return NOBODY
        if not self.offer.places:
            return f'{NO_KEYPOINT} {self.offer.lack}'
        session.choice = Choice(person, cell=cell_at(self.explained(session, person), point))
        return ''

    def add_corner(self, session: Session, point: tuple[float, float]) -> bool:
        """Take ``point`` (x, y) as a corner of a box that is drawn by hand; the second corner makes a box of score 1.

        Returns:
            bool: There is a new box. False after the first corner, and if the two leave no room between them.
        """
        if session.corner is None:
            session.corner = point
            return False
        box = box_between(session.corner, point, session.size)
        session.corner = None
        if box is None:
            return False
        session.boxes = np.concatenate([session.boxes, box])
        session.choice = None
        return True

    def explained(self, session: Session, person: int, method: str | None = None) -> PoseExplanation:
        """Explain a person, with a method's maps if one is named; the last person's explanation is kept.

        Raises:
            InputError: The method is unknown.
        """
        relevance: dict[str, np.ndarray] = {}
        if session.explanation is not None and session.explanation[0] == person:
            kept = session.explanation[1]
            if method is None or method in kept.relevance:
                return kept
            relevance = kept.relevance
        if method not in self.explainers:
            ours = self._token_ablation() if method == TOKEN_ABLATION else method
            self.explainers[method] = explainer_of(self.model, self.offer.options(ours))
        crops = prepare_crops(self.model, session.image, session.boxes[person : person + 1])
        [explanation] = self.explainers[method](crops)
        explanation.relevance.update(relevance)
        session.explanation = person, explanation
        return explanation

    def _token_ablation(self) -> TokenAblation:
        """Token ablation that tells how far it is; with the flip test it comes to its end twice."""
        rounds, ended = 1 + uses_flip_test(self.model), 0

        def tell(share: float) -> None:
            nonlocal ended
            self.on_progress((ended % rounds + share) / rounds)
            ended += share == 1

        return TokenAblation(self.stride, batch_size=PASSES, encoder_of=OpenVinoEncoders(), progress=tell)

    def chosen_map(self, session: Session, settings: Settings) -> np.ndarray | None:
        """Return the map (h, w) of the chosen keypoint or place over the token grid; None for a method and a place.

        Raises:
            InputError: Nothing was chosen, the model does not explain it, or there is no such kind, layer or head.
        """
        choice = session.choice
        if choice is None:
            raise InputError('nothing is chosen: choose a keypoint or a place first')
        offer = self.offer
        if not offer.kinds or (choice.cell is not None and not offer.places):
            raise InputError(offer.lack)
        require_choice('kind', settings.kind, offer.kinds)
        require_choice('layer', settings.layer, range(offer.num_layers))
        require_choice('head', settings.head, (None, *range(offer.num_heads or 0)))
        direction = settings.kind in DIRECTIONS
        if choice.cell is not None:
            maps = self._place_maps(session, choice, choice.cell) if direction else None
            return None if maps is None else maps.map(settings.kind, settings.layer, settings.head)
        explanation = self.explained(session, choice.person, None if direction else settings.kind)
        if not direction:
            return explanation.relevance[settings.kind][choice.keypoint]
        return explanation.maps(settings.kind, settings.head)[settings.layer, choice.keypoint]

    def _place_maps(self, session: Session, choice: Choice, cell: tuple[int, int]) -> PlaceMaps:
        if session.place is None or session.place[0] != choice:
            maps = explain_place(self.model, session.image, session.boxes[choice.person], cell)
            session.place = choice, maps
        return session.place[1]


def _grid(model: PoseEstimator, cut: CropMaker) -> tuple[int, int]:
    """The token grid (h, w) of the crops that are cut for a model; takes a pass of the network without its head."""
    crops = pseudo_collate(cut(np.zeros((8, 8, 3), np.uint8), np.array([[0, 0, 8, 8]], np.float32)))
    with evaluating(model):
        inputs = model.data_preprocessor(crops, training=False)['inputs']
    return recorded_layers(model, inputs)[1]
