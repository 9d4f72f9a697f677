"""Draw a person's pose before and after a place was painted over, with arrows between, and list what moved."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from mmtranspose.app.brush import NO_TOKEN, counterfactual
from mmtranspose.app.counterfactual import Counterfactual
from mmtranspose.app.explorer import Explorer
from mmtranspose.app.painting import painted
from mmtranspose.app.place_maps import cell_corners
from mmtranspose.app.session import AFTER, BEFORE, Session, Settings
from mmtranspose.app.view import people_count
from mmtranspose.visualization import draw_poses
from mmtranspose.visualization.canvas import spaced

BLACK, WHITE, LARGEST = (0, 0, 0), (255, 255, 255), (60, 60, 255)  # BGR
OFF, OFF_SHARE = np.array([110, 110, 110], np.float32), 0.75  # colour of tokens that are off, and its opacity


@dataclass(frozen=True)
class Move:
    """A row of the table of movements.

    Attributes:
        name (str): Of the keypoint.
        pixels (float): How far it moved, in pixels of the image.
        before (float): Its score before.
        after (float): Its score afterwards.
        certain (bool): Its score before reached the threshold.
        furthest (bool): It moved furthest of those that are certain, and far enough for an arrow.
    """

    name: str
    pixels: float
    before: float
    after: float
    certain: bool
    furthest: bool


def render_painted(
    explorer: Explorer, session: Session, settings: Settings
) -> tuple[np.ndarray, list[tuple[str, str]], list[Move], int | None]:
    """Draw the image that the visitor sees while painting.

    Args:
        explorer (Explorer): Finds people and estimates poses.
        session (Session): The image and what is painted; what is computed is kept in it.
        settings (Settings): Values of the controls.

    Returns:
        tuple: The image (h, w, 3), BGR, uint8; the facts as pairs of name and value; the movements, the largest first;
        the person whose pose is compared. Where no pose is compared: the image with all poses, no facts but the people,
        no movements, and None.
    """
    shown = explorer.pose(session, settings)
    compared = counterfactual(explorer, session, settings)
    facts = [('people', people_count(session, shown))]
    if compared is None:
        return _posed(explorer, session.image, [session.poses[one] for one in shown], settings), facts, [], None
    person, pair = compared
    image = session.image if settings.compared == BEFORE else _changed_image(explorer, session, person, pair)
    samples = [pair.before if settings.compared == BEFORE else pair.after]
    image = _posed(explorer, image, samples, settings)
    if settings.compared not in (BEFORE, AFTER):
        _draw_moves(image, pair, settings.kpt_thr)
    facts += _facts(explorer, session, settings, person, pair)
    return image, facts, _moves(explorer, pair, settings.kpt_thr), person


def _posed(explorer: Explorer, image: np.ndarray, samples: list, settings: Settings) -> np.ndarray:
    return draw_poses(image, samples, explorer.model.dataset_meta, kpt_thr=settings.kpt_thr, draw_bbox=True)


def _changed_image(explorer: Explorer, session: Session, person: int, pair: Counterfactual) -> np.ndarray:
    """What the network was shown; under tokens that are off the image is greyed."""
    if pair.off is None:
        return pair.image
    mask, explanation = np.zeros(session.size, np.uint8), explorer.explained(session, person)
    for cell in np.argwhere(pair.off):
        corners = cell_corners(explanation, (int(cell[0]), int(cell[1])))
        cv2.fillConvexPoly(mask, np.rint(corners).astype(np.int32), (1,))
    share = OFF_SHARE * mask[..., None].astype(np.float32)
    return np.rint(pair.image * (1 - share) + OFF * share).astype(np.uint8)


def _draw_moves(image: np.ndarray, pair: Counterfactual, kpt_thr: float) -> None:
    """Draw, on ``image``, a ring where each certain keypoint that moved was, and an arrow to where it went.

    Movements shorter than ``pair.seen`` get neither; the longest one is red.
    """
    before, after = (sample.pred_instances.keypoints[0] for sample in (pair.before, pair.after))
    longer, furthest = max(image.shape[:2]), pair.furthest(kpt_thr)
    stroke, ring = max(1, round(longer / 500)), max(3, round(longer / 130))
    certain = np.flatnonzero(pair.scores[0] >= kpt_thr)
    for keypoint in sorted(certain, key=lambda one: one == furthest):  # the longest arrow over the others
        if pair.movement[keypoint] < pair.seen:
            continue
        start, end = (np.rint(points[keypoint]).astype(int).tolist() for points in (before, after))
        head = min(0.5, 4 * ring / 2 / pair.movement[keypoint])
        for colour, width in ((BLACK, stroke + 2), (LARGEST if keypoint == furthest else WHITE, stroke)):
            cv2.circle(image, start, ring, colour, width, cv2.LINE_AA)
            cv2.arrowedLine(image, start, end, colour, width, cv2.LINE_AA, tipLength=head)


def _facts(
    explorer: Explorer, session: Session, settings: Settings, person: int, pair: Counterfactual
) -> list[tuple[str, str]]:
    strokes = f'{len(session.strokes)} stroke{"s" if len(session.strokes) > 1 else ""}'
    share = painted(session.strokes, session.size).mean()
    facts = [('compared', f'person {person + 1}'), ('painted', f'{strokes}, {share:.1%} of the image')]
    if pair.off is None:
        facts.append(('replaced by', settings.replacement))
    else:
        facts.append(('tokens off', f'{pair.off.sum()} of {pair.off.size}' if pair.off.any() else NO_TOKEN))
    furthest = pair.furthest(settings.kpt_thr)
    if furthest is None:
        return [*facts, ('furthest certain', f'none moved by {pair.seen:.1f} pixels or more')]
    moved = f'{spaced(explorer.names[furthest])}, {pair.movement[furthest]:.1f} pixels'
    return [*facts, ('furthest certain', moved)]


def _moves(explorer: Explorer, pair: Counterfactual, kpt_thr: float) -> list[Move]:
    furthest, (before, after) = pair.furthest(kpt_thr), pair.scores
    return [
        Move(
            spaced(explorer.names[one]),
            float(pair.movement[one]),
            float(before[one]),
            float(after[one]),
            certain=bool(before[one] >= kpt_thr),
            furthest=one == furthest,
        )
        for one in pair.order
    ]
