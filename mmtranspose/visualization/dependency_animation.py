"""The poses in an image, and what one keypoint after the other depends on, as frames of an animation."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from mmtranspose.errors import InputError
from mmtranspose.explain import PoseExplanation
from mmtranspose.visualization.contact_sheet import contact_sheet
from mmtranspose.visualization.heat import in_grey
from mmtranspose.visualization.overlay import draw_caption, overlay_people, people_caption

LIMB, HALO = (255, 220, 60), (40, 30, 0)  # BGR
SHOWN, FADING = 1000, 80  # milliseconds
FADES = 2  # frames between two keypoints
PANEL = 400  # pixels of the longer side


def dependency_animation(
    image: np.ndarray,
    explanations: Sequence[PoseExplanation],
    layer: int = -1,
    threshold: float | None = None,
    panel: int = PANEL,
) -> tuple[list[np.ndarray], list[int]]:
    """Draw the poses beside one layer's dependency maps, keypoint after keypoint, with a short fade between them.

    Captions do not fade: each frame has that of the nearer keypoint.

    Keypoints that are uncertain in everybody are left out, unless all are.

    Args:
        image (np.ndarray): (h, w, 3), BGR, uint8: the image that was explained.
        explanations (Sequence[PoseExplanation]): One explanation a person; at least one.
        layer (int): Number of the layer, from 0; -1 is the last.
        threshold (float | None): Weights at or below it are not drawn.
        panel (int): Pixels of the longer side of each of the two images; smaller images are not enlarged.

    Returns:
        tuple: frames, each (h', 2 w', 3), BGR, uint8; how long each is shown, in milliseconds.

    Raises:
        InputError: There is nobody, the image has another shape or dtype, or there is no such layer.
    """
    if not explanations:
        raise InputError('dependency_animation needs the explanation of at least one person')
    layer = explanations[0].num_layers - 1 if layer == -1 else layer
    certain = ~np.all([person.uncertain for person in explanations], axis=0)
    chosen = np.flatnonzero(certain if certain.any() else ~certain)
    scale = min(1, panel / max(image.shape[:2]))
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    poses, background = _with_poses(image, explanations), in_grey(image)
    sheets = []
    for keypoint in chosen.tolist():
        maps = overlay_people(background, explanations, keypoint, layer, caption='', threshold=threshold)
        sheets.append(contact_sheet([poses, maps], 2, size))
    captions = [people_caption(explanations, keypoint, layer, 'dependency') for keypoint in chosen.tolist()]
    frames, durations = [], []
    for number, sheet in enumerate(sheets):
        following = (number + 1) % len(sheets)
        for step in range(FADES + 1 if len(sheets) > 1 else 1):
            share = step / (FADES + 1)
            frame = cv2.addWeighted(sheet, 1 - share, sheets[following], share, 0)
            draw_caption(frame[:, size[0] :], captions[number if share < 0.5 else following])
            frames.append(frame)
            durations.append(FADING if step else SHOWN)
    return frames, durations


def _with_poses(image: np.ndarray, people: Sequence[PoseExplanation]) -> np.ndarray:
    """The image with the certain keypoints and the limbs between them."""
    drawn, width = image.copy(), max(1, round(max(image.shape[:2]) / 250))
    for person in people:
        shown = ~person.uncertain & np.isfinite(person.keypoints).all(1)
        points = np.rint(np.where(shown[:, None], person.keypoints, 0)).astype(int).tolist()
        limbs = [(a, b) for a, b in person.skeleton if shown[a] and shown[b]]
        for colour, wider in ((HALO, 2), (LIMB, 0)):
            for a, b in limbs:
                cv2.line(drawn, points[a], points[b], colour, width + wider, cv2.LINE_AA)
            for number in np.flatnonzero(shown).tolist():
                cv2.circle(drawn, points[number], 2 * width + wider, colour, -1, cv2.LINE_AA)
    return drawn
