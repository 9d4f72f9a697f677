"""What is found and chosen, as an image and as words."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from mmtranspose.app.explorer import DIRECTIONS, Explorer
from mmtranspose.app.place_maps import cell_corners
from mmtranspose.app.session import Session, Settings
from mmtranspose.explain import PoseExplanation
from mmtranspose.visualization import draw_poses, overlay_on_image
from mmtranspose.visualization.heat import top_of

BLACK, WHITE = (0, 0, 0), (255, 255, 255)


LEGIBLE = 720  # pixels of the longer side; gradio never shows an image larger than it is


def render(explorer: Explorer, session: Session, settings: Settings) -> tuple[np.ndarray, list[tuple[str, str]]]:
    """The image as it is to be seen, and the facts that belong to it.

    Args:
        explorer (Explorer): The networks.
        session (Session): The image; poses and maps that are missing are added to it.
        settings (Settings): What the controls say.

    Returns:
        tuple: (h, w, 3), BGR, uint8; pairs of name and value.
    """
    shown = explorer.pose(session, settings)
    if session.choice is not None and session.choice.person not in shown:
        session.choice = None
    picture = _with_poses(explorer, session, settings, shown)
    facts = [('people', _count(session, shown))]
    if session.choice is not None:
        picture, about = _with_map(explorer, session, settings, picture)
        facts += about
    if session.corner is not None:
        picture = _with_corner(picture, session.corner)
    return picture, facts


def zoom_of(image: np.ndarray) -> int:
    """By how much an image (h, w, 3) is enlarged to be shown: 1, 2, 3, ..."""
    return -(-LEGIBLE // max(image.shape[:2]))


def enlarged(image: np.ndarray) -> np.ndarray:
    """The image as it is shown."""
    zoom = zoom_of(image)
    return image if zoom == 1 else cv2.resize(image, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC)


def unzoomed(point: tuple[float, float], image: np.ndarray) -> tuple[float, float]:
    """(x, y) in the image of what was clicked at ``point`` (x, y) in :func:`enlarged`'s."""
    return tuple((value + 0.5) / zoom_of(image) - 0.5 for value in point)


def _count(session: Session, shown: list[int]) -> str:
    return str(len(shown)) if len(shown) == len(session.boxes) else f'{len(shown)} of {len(session.boxes)} boxes'


def _with_poses(explorer: Explorer, session: Session, settings: Settings, shown: list[int]) -> np.ndarray:
    key = (*shown, settings.kpt_thr)
    if session.drawn is None or session.drawn[0] != key:
        samples = [session.poses[person] for person in shown]
        meta = explorer.model.dataset_meta
        session.drawn = key, draw_poses(session.image, samples, meta, settings.kpt_thr, draw_bbox=True)
    return session.drawn[1]


def _with_map(
    explorer: Explorer, session: Session, settings: Settings, picture: np.ndarray
) -> tuple[np.ndarray, list[tuple[str, str]]]:
    """The image with the map of what is chosen, and what there is to say of it."""
    choice = session.choice
    weights = explorer.chosen_map(session, settings)
    explanation = replace(explorer.explained(session, choice.person), score_thr=settings.kpt_thr)
    facts = [(('place' if choice.keypoint is None else 'keypoint'), _name(session, explanation))]
    if choice.keypoint is not None:
        facts.append(('score', f'{explanation.scores[choice.keypoint]:.2f}'))
    facts.append(('shown', _kind(explorer, settings)))
    if weights is None:
        facts[-1] = ('shown', f'nothing: {settings.kind} explains keypoints only, click one')
        return _with_cell(picture, explanation, choice.cell), facts
    top = top_of(weights)
    drawn = overlay_on_image(
        picture,
        explanation,
        weights,
        choice.keypoint,
        caption='',
        top=top,
        threshold=settings.threshold * top,
        opacity=settings.opacity,
    )
    if choice.keypoint is None:
        drawn = _with_cell(drawn, explanation, choice.cell)
    return drawn, [*facts, ('highest weight', _highest(weights, settings))]


def _name(session: Session, explanation: PoseExplanation) -> str:
    choice = session.choice
    what = f'row {choice.cell[0] + 1}, column {choice.cell[1] + 1}' if choice.keypoint is None else ''
    return f'{what or explanation.names[choice.keypoint]} of person {choice.person + 1}'


def _kind(explorer: Explorer, settings: Settings) -> str:
    if settings.kind not in DIRECTIONS:
        return settings.kind
    heads = explorer.num_heads
    head = f'mean of {heads} heads' if settings.head is None else f'head {settings.head + 1} of {heads}'
    return f'{settings.kind}, layer {settings.layer + 1} of {explorer.num_layers}, {head}'


def _highest(weights: np.ndarray, settings: Settings) -> str:
    top = weights.max()
    share = f', {top * weights.size:.3g} times an even share' if settings.kind in DIRECTIONS else ''
    return f'{top:.3g}{share}'


def _with_cell(picture: np.ndarray, explanation: PoseExplanation, cell: tuple[int, int]) -> np.ndarray:
    """The outline of a token's area, in white on black."""
    picture, corners = picture.copy(), np.rint(cell_corners(explanation, cell)).astype(np.int32)
    for colour, width in ((BLACK, 3), (WHITE, 1)):
        cv2.polylines(picture, [corners], True, colour, width, cv2.LINE_AA)
    return picture


def _with_corner(picture: np.ndarray, corner: tuple[float, float]) -> np.ndarray:
    picture, size = picture.copy(), max(12, round(max(picture.shape[:2]) / 40))
    for colour, width in ((BLACK, 3), (WHITE, 1)):
        cv2.drawMarker(picture, np.rint(corner).astype(int).tolist(), colour, cv2.MARKER_CROSS, size, width)
    return picture
