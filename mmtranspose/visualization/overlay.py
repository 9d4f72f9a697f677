"""Draw maps over the image in which the people were found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mmtranspose.errors import InputError
from mmtranspose.keypoint_names import keypoint_index
from mmtranspose.visualization.heat import OPACITY, heat, laid_over, top_of

if TYPE_CHECKING:
    from mmtranspose.explain import PoseExplanation

OUTLINE = (164, 179, 0)  # BGR
BLACK, WHITE = (0, 0, 0), (255, 255, 255)
BAND_PIXELS = 2**21  # drawn at a time, so that memory does not grow with the image
FONT = Path(matplotlib.get_data_path()) / 'fonts' / 'ttf' / 'DejaVuSans.ttf'
SMALLEST_LETTERS = 7  # pixels


def overlay_on_image(
    image: np.ndarray,
    explanation: PoseExplanation,
    weights: np.ndarray,
    keypoint: int | str | None = None,
    caption: str | None = None,
    top: float | None = None,
    threshold: float | None = None,
    opacity: float = OPACITY,
) -> np.ndarray:
    """Draw one map over the whole image, with the outline of the network's crop and a mark at the keypoint.

    Pixels outside the crop keep their values, except under the outline, the mark and the caption.

    Args:
        image (np.ndarray): (height, width, 3), BGR, uint8: the image that was explained.
        explanation (PoseExplanation): Explanation of one person in the image.
        weights (np.ndarray): (h, w) over the token grid; or (K, h, w), one map a keypoint, of which the one of
            ``keypoint`` is drawn, on a colour scale for all.
        keypoint (int | str | None): Number or name of the keypoint to mark: by a ring, or by a cross where the score is
            below the threshold of the explanation.
        caption (str | None): Text in the upper left corner, if the image is large enough; None writes name and score of
            the keypoint, ``''`` writes nothing.
        top (float | None): The weight that gets the last colour; None takes the highest of ``weights``.
        threshold (float | None): Weights at or below it are not drawn.
        opacity (float): Opacity of the highest weight, 0 to 1.

    Returns:
        np.ndarray: (height, width, 3), BGR, uint8.

    Raises:
        InputError: The image or the weights have another shape or dtype, the keypoint is unknown, or ``weights`` has
            one map a keypoint and no keypoint is given.
    """
    _check_image(image)
    number = None if keypoint is None else keypoint_index(explanation.names, keypoint)
    chosen = _chosen(explanation, np.asarray(weights), number)
    top = top_of(np.asarray(weights)) if top is None else top
    drawn = _painted(image, [explanation], [chosen], top, threshold, opacity)
    _draw_outline(drawn, explanation)
    if number is not None:
        _draw_mark(drawn, explanation, number)
        caption = f'{explanation.names[number]} {explanation.scores[number]:.2f}' if caption is None else caption
    draw_caption(drawn, caption or '')
    return drawn


def overlay_people(
    image: np.ndarray,
    explanations: Sequence[PoseExplanation],
    keypoint: int | str,
    layer: int,
    direction: str = 'dependency',
    head: int | None = None,
    caption: str | None = None,
    threshold: float | None = None,
    opacity: float = OPACITY,
) -> np.ndarray:
    """Draw one keypoint's maps of all people over the image, on one colour scale.

    Where crops overlap, the higher weight is drawn.

    Args:
        image (np.ndarray): (height, width, 3), BGR, uint8: the image that was explained.
        explanations (Sequence[PoseExplanation]): One explanation a person; an empty list gives a copy of the image.
        keypoint (int | str): Number or name of the keypoint.
        layer (int): Number of the layer, from 0.
        direction (str): ``'dependency'`` or ``'affect'``.
        head (int | None): Number of the head, from 0; None averages the heads.
        caption (str | None): Text in the upper left corner, if the image is large enough; None writes layer (from 1),
            direction and keypoint, ``''`` writes nothing.
        threshold (float | None): Weights at or below it are not drawn; the authors suggest 0.01.
        opacity (float): Opacity of the highest weight, 0 to 1.

    Returns:
        np.ndarray: (height, width, 3), BGR, uint8.

    Raises:
        InputError: The image has another shape or dtype, or there is no such keypoint, layer, direction or head.
    """
    _check_image(image)
    if not explanations:
        return image.copy()
    numbers = [keypoint_index(person.names, keypoint) for person in explanations]
    maps = [
        _layer(person.maps(direction, head), layer)[number]
        for person, number in zip(explanations, numbers, strict=True)
    ]
    drawn = _painted(image, explanations, maps, max(map(top_of, maps)), threshold, opacity)
    for person in explanations:
        _draw_outline(drawn, person)
    for person, number in zip(explanations, numbers, strict=True):
        _draw_mark(drawn, person, number)
    draw_caption(drawn, people_caption(explanations, keypoint, layer, direction) if caption is None else caption)
    return drawn


def people_caption(explanations: Sequence[PoseExplanation], keypoint: int | str, layer: int, direction: str) -> str:
    """The default caption of :func:`overlay_people`: layer (from 1), direction and keypoint."""
    names = explanations[0].names
    return f'layer {layer + 1}, {direction}: {names[keypoint_index(names, keypoint)]}'


def _check_image(image: np.ndarray) -> None:
    if image.dtype != np.uint8:
        raise InputError(f'the image must be uint8, not {image.dtype}')
    if image.ndim != 3 or image.shape[2] != 3:
        raise InputError(f'the image must have shape (height, width, 3), not {image.shape}')


def _layer(maps: np.ndarray, layer: int) -> np.ndarray:
    """One layer of maps (L, K, h, w): (K, h, w)."""
    if not 0 <= layer < len(maps):
        raise InputError(f'there is no layer {layer}: there are {len(maps)}, numbered from 0')
    return maps[layer]


def _chosen(explanation: PoseExplanation, weights: np.ndarray, keypoint: int | None) -> np.ndarray:
    """The one map (h, w) to draw."""
    if weights.ndim == 2:
        return weights
    if weights.ndim != 3 or len(weights) != len(explanation.names):
        shape = (len(explanation.names), *explanation.grid)
        raise InputError(f'weights must have shape {shape[1:]} or {shape}, not {weights.shape}')
    if keypoint is None:
        raise InputError('weights has a map for each keypoint: name the keypoint to draw')
    return weights[keypoint]


def _painted(
    image: np.ndarray,
    people: Sequence[PoseExplanation],
    maps: Sequence[np.ndarray],
    top: float,
    threshold: float | None,
    opacity: float,
) -> np.ndarray:
    """The image with the highest of the people's maps (h, w) at each pixel."""
    weights = np.zeros(image.shape[:2], np.float32)
    for person, tokens in zip(people, maps, strict=True):
        for band in _bands(person, image.shape[:2]):
            weights[band] = np.fmax(weights[band], _sampled(person, tokens, band))
    drawn = image.copy()
    for person in people:
        for band in _bands(person, image.shape[:2]):
            drawn[band] = laid_over(image[band], *heat(weights[band], top, threshold, opacity))
    return drawn


def _sampled(person: PoseExplanation, tokens: np.ndarray, band: tuple[slice, slice]) -> np.ndarray:
    """A map (h, w) interpolated over one rectangle of the image."""
    rows, columns = band
    to_band = person.crop_to_image - [[0, 0, columns.start], [0, 0, rows.start]]
    shape = (rows.stop - rows.start, columns.stop - columns.start)
    return replace(person, crop_to_image=to_band).on_image(tokens, shape)


def _bands(person: PoseExplanation, size: Sequence[int]) -> Iterator[tuple[slice, slice]]:
    """Cut the part of an image (height, width) around the crop into rectangles of a bounded number of pixels."""
    corners = _corners(person)
    left, first = np.maximum(np.floor(corners.min(0)), 0).astype(int)
    right, last = np.minimum(np.ceil(corners.max(0)) + 1, size[::-1]).astype(int)
    step = max(1, BAND_PIXELS // max(right - left, 1))
    for row in range(first, last, step) if right > left else ():
        yield slice(row, min(row + step, last)), slice(left, right)


def _corners(person: PoseExplanation) -> np.ndarray:
    """(x, y) of the outer corners of the crop in the image: (4, 2)."""
    height, width = person.crop.shape[:2]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]]) - 0.5
    return corners @ person.crop_to_image[:, :2].T + person.crop_to_image[:, 2]


def _stroke(image: np.ndarray) -> int:
    return max(1, round(max(image.shape[:2]) / 500))


def _draw_outline(image: np.ndarray, person: PoseExplanation) -> None:
    corners = np.rint(_corners(person)).astype(np.int32)
    cv2.polylines(image, [corners], True, OUTLINE, _stroke(image), cv2.LINE_AA)


def _draw_mark(image: np.ndarray, person: PoseExplanation, keypoint: int) -> None:
    """Draw a ring, or a cross where the score is below the threshold, in white on black."""
    point, stroke = person.keypoints[keypoint], _stroke(image)
    if not np.isfinite(point).all():
        return
    x, y = np.rint(point).astype(int).tolist()
    arm = max(4, round(max(image.shape[:2]) / 110))
    for colour, width in ((BLACK, stroke + 2), (WHITE, stroke)):
        if person.uncertain[keypoint]:
            cv2.line(image, (x - arm, y - arm), (x + arm, y + arm), colour, width, cv2.LINE_AA)
            cv2.line(image, (x - arm, y + arm), (x + arm, y - arm), colour, width, cv2.LINE_AA)
        else:
            cv2.circle(image, (x, y), arm, colour, width, cv2.LINE_AA)


def draw_caption(image: np.ndarray, caption: str) -> None:
    """Write a caption on a dark strip in the upper left corner, unless it would not fit or could not be read."""
    if not caption:
        return
    height, width = image.shape[:2]
    size = max(SMALLEST_LETTERS, min(round(height / 24), round(width / 30)))
    font = ImageFont.truetype(str(FONT), size)
    if font.getlength(caption) + size > width:
        size = int(size * width / (font.getlength(caption) + size))
        font = font.font_variant(size=max(size, 1))
    strip = (round(font.getlength(caption)) + size, round(1.6 * size))
    if size < SMALLEST_LETTERS or strip[1] > height / 3:
        return
    label = Image.new('L', strip, 28)
    ImageDraw.Draw(label).text((size / 2, strip[1] / 2), caption, fill=255, font=font, anchor='lm')
    image[: strip[1], : strip[0]] = np.asarray(label)[:height, :width, None]
