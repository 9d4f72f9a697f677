"""Draw the people and the chosen map in an image, and describe them in words."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from mmtranspose.app.explorer import Explorer
from mmtranspose.app.offer import DIRECTIONS, TOKEN_ABLATION
from mmtranspose.app.place_maps import cell_corners, place_name
from mmtranspose.app.session import Choice, Session, Settings
from mmtranspose.explain import PoseExplanation
from mmtranspose.visualization import draw_poses, overlay_on_image
from mmtranspose.visualization.canvas import spaced
from mmtranspose.visualization.heat import top_of

BLACK, WHITE = (0, 0, 0), (255, 255, 255)
OUTLINE = ((BLACK, 3), (WHITE, 1))  # colours and widths, one over the other: seen on any background
LEGIBLE = 720  # pixels of the longer side; gradio never shows an image larger than it is


def render(explorer: Explorer, session: Session, settings: Settings) -> tuple[np.ndarray, list[tuple[str, str]]]:
    """Draw the image that the visitor sees, and return the facts about it.

    Args:
        explorer (Explorer): Finds and explains people.
        session (Session): The image; poses and maps that are missing are added to it.
        settings (Settings): Values of the controls.

    Returns:
        tuple: The image (h, w, 3), BGR, uint8; the facts as pairs of name and value.
    """
    shown = explorer.pose(session, settings)
    image = _with_poses(explorer, session, settings, shown)
    facts = [('people', people_count(session, shown))]
    if session.choice is not None:
        facts += _about(explorer, session, session.choice)
        if explorer.offer.kinds:
            image, about_map = _with_map(explorer, session, session.choice, settings, image)
            facts += about_map
    if session.corner is not None:
        image = _with_corner(image, session.corner)
    return image, facts


def shown_top(explorer: Explorer, session: Session, settings: Settings) -> float | None:
    """The weight where the colours of the map in sight end; None where no map is shown."""
    if session.choice is None or not explorer.offer.kinds:
        return None
    weights = explorer.chosen_map(session, settings)
    return None if weights is None else top_of(weights)


def zoom_of(image: np.ndarray) -> int:
    """By how much an image (h, w, 3) is enlarged to be shown: 1, 2, 3, ..."""
    return -(-LEGIBLE // max(image.shape[:2]))


def enlarged(image: np.ndarray) -> np.ndarray:
    """Enlarge an image (h, w, 3) by :func:`zoom_of`."""
    zoom = zoom_of(image)
    return image if zoom == 1 else cv2.resize(image, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC)


def unzoomed(point: tuple[float, float], image: np.ndarray) -> tuple[float, float]:
    """Turn ``point`` (x, y) in the enlarged image into (x, y) in ``image``."""
    x, y = ((value + 0.5) / zoom_of(image) - 0.5 for value in point)
    return x, y


def people_count(session: Session, shown: list[int]) -> str:
    """Say how many people are shown, and of how many boxes if there are others."""
    return str(len(shown)) if len(shown) == len(session.boxes) else f'{len(shown)} of {len(session.boxes)} boxes'


def _with_poses(explorer: Explorer, session: Session, settings: Settings, shown: list[int]) -> np.ndarray:
    key = (*shown, settings.kpt_thr)
    if session.drawn is None or session.drawn[0] != key:
        samples = [session.poses[person] for person in shown]
        meta = explorer.model.dataset_meta
        session.drawn = key, draw_poses(session.image, samples, meta, kpt_thr=settings.kpt_thr, draw_bbox=True)
    return session.drawn[1]


def _with_map(
    explorer: Explorer, session: Session, choice: Choice, settings: Settings, image: np.ndarray
) -> tuple[np.ndarray, list[tuple[str, str]]]:
    """The image with the map of what was chosen, and the facts about the map."""
    weights = explorer.chosen_map(session, settings)
    explanation = replace(explorer.explained(session, choice.person), score_thr=settings.kpt_thr)
    if weights is None:
        nothing = f'nothing: {settings.kind} explains keypoints only, click one'
        return _with_cell(image, explanation, choice), [('shown', nothing)]
    top = top_of(weights)
    drawn = overlay_on_image(
        image,
        explanation,
        weights,
        choice.keypoint,
        caption='',
        top=top,
        threshold=settings.threshold * top,
        opacity=settings.opacity,
    )
    facts = [('shown', _kind(explorer, settings)), ('highest weight', _highest(weights, settings))]
    return _with_cell(drawn, explanation, choice), facts


def _about(explorer: Explorer, session: Session, choice: Choice) -> list[tuple[str, str]]:
    person = f'of person {choice.person + 1}'
    if choice.keypoint is not None:
        score = session.poses[choice.person].pred_instances.keypoint_scores[0][choice.keypoint]
        return [('keypoint', f'{spaced(explorer.names[choice.keypoint])} {person}'), ('score', f'{score:.2f}')]
    if choice.cell is not None:
        return [('place', f'{place_name(choice.cell)} {person}')]
    return []


def _kind(explorer: Explorer, settings: Settings) -> str:
    if settings.kind not in DIRECTIONS:
        return method_title(explorer, settings.kind)
    offer = explorer.offer
    heads = 'the heads' if offer.num_heads is None else f'{offer.num_heads} heads'
    head = f'mean of {heads}' if settings.head is None else f'head {settings.head + 1} of {offer.num_heads}'
    return f'{settings.kind}, layer {settings.layer + 1} of {offer.num_layers}, {head}'


def method_title(explorer: Explorer, method: str) -> str:
    """A method's name, and for token ablation how many tokens it replaces together."""
    if method != TOKEN_ABLATION or explorer.stride == 1:
        return method
    return f'{method} of {explorer.stride} x {explorer.stride} tokens together'


def _highest(weights: np.ndarray, settings: Settings) -> str:
    top = weights.max()
    share = f', {top * weights.size:.3g} times an even share' if settings.kind in DIRECTIONS else ''
    return f'{top:.3g}{share}'


def _with_cell(image: np.ndarray, explanation: PoseExplanation, choice: Choice) -> np.ndarray:
    """The image with the outline of the chosen token's area; unchanged where a keypoint was chosen."""
    if choice.cell is None:
        return image
    image, corners = image.copy(), np.rint(cell_corners(explanation, choice.cell)).astype(np.int32)
    for colour, width in OUTLINE:
        cv2.polylines(image, [corners], True, colour, width, cv2.LINE_AA)
    return image


def _with_corner(image: np.ndarray, corner: tuple[float, float]) -> np.ndarray:
    """The image with a cross at a box's first corner."""
    image, size = image.copy(), max(12, round(max(image.shape[:2]) / 40))
    for colour, width in OUTLINE:
        cv2.drawMarker(image, np.rint(corner).astype(int).tolist(), colour, cv2.MARKER_CROSS, size, width)
    return image
