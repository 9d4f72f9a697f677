"""Draw what every keypoint of a person depends on as one figure: layers, or methods, by keypoints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from mmtranspose.errors import InputError, require_choice
from mmtranspose.keypoint_names import keypoint_indices
from mmtranspose.visualization.canvas import (
    DPI,
    FAINT,
    INK,
    LETTERS,
    TITLE,
    new_figure,
    rendered,
    sheet_axes,
    text_height,
    wrapped,
)
from mmtranspose.visualization.explanation_layout import NAME_SIZE, Layout, fitted_name
from mmtranspose.visualization.heat import MIDDLE_GREY, heat, in_grey, laid_over, top_of

if TYPE_CHECKING:
    from mmtranspose.explain import PoseExplanation

LIMB, DOT = '#00b3a4', '#ffffff'


def explanation_figure(
    explanation: PoseExplanation,
    direction: str = 'dependency',
    head: int | None = None,
    threshold: float | None = None,
    keypoints: Sequence[int | str] | None = None,
    title: str | None = None,
    dpi: float = DPI,
) -> np.ndarray:
    """Draw the maps of one person over the crop, one row a layer and one column a keypoint, beside the pose.

    All maps of a layer share one colour scale, from 0 to the highest weight of any of the person's keypoints; the scale
    is drawn at the end of the row. More than 18 keypoints go into several blocks of rows.

    Args:
        explanation (PoseExplanation): Explanation of one person.
        direction (str): ``'dependency'`` or ``'affect'``.
        head (int | None): Number of the head, from 0; None averages the heads.
        threshold (float | None): Weights at or below it are not drawn; the authors suggest 0.01.
        keypoints (Sequence[int | str] | None): Keypoints to draw, by number or name; None draws all.
        title (str | None): Title above the maps.
        dpi (float): Pixels an inch; a cell is about an inch high.

    Returns:
        np.ndarray: (h, w, 3), BGR, uint8.

    Raises:
        InputError: There is no such keypoint, direction or head.
    """
    maps = explanation.maps(direction, head)
    rows = [_Row(f'layer {number}', layer, threshold) for number, layer in enumerate(maps, start=1)]
    notes = [_meaning(direction, head, explanation.num_heads), 'one colour scale a layer']
    if threshold is not None:
        notes.append(f'weights up to {threshold:g} not drawn')
    return _draw(explanation, rows, keypoint_indices(explanation.names, keypoints), title, notes, dpi)


def relevance_figure(
    explanation: PoseExplanation,
    methods: Sequence[str] | None = None,
    keypoints: Sequence[int | str] | None = None,
    title: str | None = None,
    dpi: float = DPI,
) -> np.ndarray:
    """Draw the maps of several methods over the crop, one row a method and one column a keypoint, beside the pose.

    Each method has its own colour scale, from 0 to its highest relevance for any of the person's keypoints. Relevance
    that is not positive is not drawn.

    Args:
        explanation (PoseExplanation): Explanation of one person, with ``relevance``.
        methods (Sequence[str] | None): Keys of ``explanation.relevance``; None draws all.
        keypoints (Sequence[int | str] | None): Keypoints to draw, by number or name; None draws all.
        title (str | None): Title above the maps.
        dpi (float): Pixels an inch.

    Returns:
        np.ndarray: (h, w, 3), BGR, uint8.

    Raises:
        InputError: There is no such keypoint or method, or no method at all.
    """
    methods = list(explanation.relevance) if methods is None else list(methods)
    if not methods or not explanation.relevance:
        raise InputError('there is no relevance to draw: explain with methods')
    for method in methods:
        require_choice('method', method, explanation.relevance)
    rows = [_Row(method, explanation.relevance[method], None) for method in methods]
    return _draw(
        explanation, rows, keypoint_indices(explanation.names, keypoints), title, ['one colour scale a method'], dpi
    )


def _meaning(direction: str, head: int | None, num_heads: int | None) -> str:
    what = 'what each keypoint attends to' if direction == 'dependency' else 'places that attend to each keypoint'
    heads = 'heads averaged' if head is None else f'head {head + 1} of {num_heads}'
    return f'{direction}: {what}, {heads}'


@dataclass(frozen=True)
class _Row:
    """A row of the figure: maps (K, h, w) that share a colour scale."""

    name: str
    maps: np.ndarray
    threshold: float | None

    @property
    def top(self) -> float:
        return top_of(self.maps)


def _draw(
    explanation: PoseExplanation,
    rows: list[_Row],
    keypoints: list[int],
    title: str | None,
    notes: list[str],
    dpi: float,
) -> np.ndarray:
    names = [row.name for row in rows]
    width = Layout.of(explanation, names, keypoints).size[0] - 2 * Layout.margin
    title, note = wrapped(title or '', width, TITLE), wrapped('; '.join(notes), width, NAME_SIZE)
    header = Layout.margin + text_height(title, TITLE) + text_height(note, NAME_SIZE)
    layout = Layout.of(explanation, names, keypoints, header)
    figure = new_figure(*layout.size, dpi)
    axes = sheet_axes(figure)
    _write(axes, layout.margin, layout.margin, title, TITLE, va='top', weight='bold')
    _write(axes, layout.margin, header, note, NAME_SIZE, va='bottom', color=FAINT)
    for block in range(layout.blocks):
        members = keypoints[block * layout.columns : (block + 1) * layout.columns]
        _draw_pose(axes, layout, block, explanation, members)
        for number, row in enumerate(rows):
            _draw_row_ends(axes, layout, block, number, row)
    _draw_cells(axes, layout, explanation, rows, keypoints)
    for index, keypoint in enumerate(keypoints):
        _draw_name(axes, layout, index, explanation, keypoint)
    return rendered(figure)


def _write(axes: Axes, x: float, y: float, text: str, size: float, **style: Any) -> None:
    axes.text(x, y, text, **{'fontsize': size, 'color': INK, 'parse_math': False, 'linespacing': 1.1, **style})


def _place(axes: Axes, image: np.ndarray, left: float, top: float, width: float, height: float) -> None:
    """Draw an image (h, w, 3), BGR, into a rectangle."""
    shrinks = image.shape[1] > width * axes.figure.dpi
    extent = (left, left + width, top + height, top)
    axes.imshow(
        image[..., ::-1], extent=extent, aspect='auto', interpolation='hanning' if shrinks else 'bilinear', zorder=1
    )


def _draw_cells(
    axes: Axes, layout: Layout, explanation: PoseExplanation, rows: list[_Row], keypoints: list[int]
) -> None:
    for number, row in enumerate(rows):
        for first in range(0, len(keypoints), layout.columns):
            images = _cell_images(explanation, row, keypoints[first : first + layout.columns])
            for index, image in enumerate(images, start=first):
                _place(axes, image, *layout.corner(number, index), *layout.cell)
    corners = np.array([[layout.corner(row, index) for index in range(len(keypoints))] for row in range(len(rows))])
    marks = corners + _share_of_crop(explanation)[keypoints] * layout.cell
    uncertain = explanation.uncertain[keypoints]
    _mark(axes, marks[:, ~uncertain].reshape(-1, 2), 'o')
    _mark(axes, marks[:, uncertain].reshape(-1, 2), 'x')


def _cell_images(explanation: PoseExplanation, row: _Row, keypoints: list[int]) -> Iterator[np.ndarray]:
    """Draw each keypoint's map over the crop in grey."""
    grey = in_grey(explanation.crop)
    for weights in explanation.on_crop(row.maps[keypoints]):
        yield laid_over(grey, *heat(weights, row.top, row.threshold))


def _share_of_crop(explanation: PoseExplanation) -> np.ndarray:
    """(x, y) of the keypoints as shares of the crop's width and height: (K, 2), NaN outside the crop."""
    share = (explanation.crop_keypoints + 0.5) / explanation.crop.shape[1::-1]
    return np.where((np.abs(share - 0.5) <= 0.5).all(-1, keepdims=True), share, np.nan)


def _mark(axes: Axes, points: np.ndarray, marker: str) -> None:
    """Draw rings (``'o'``) or crosses (``'x'``) in white on black, which leave the weights under them visible."""
    size = 4.5 if marker == 'x' else 7.0
    for colour, width in (('black', 1.9), ('white', 0.9)):
        axes.plot(*points.T, marker, markersize=size, mfc='none', mec=colour, mew=width, zorder=4)


def _draw_name(axes: Axes, layout: Layout, index: int, explanation: PoseExplanation, keypoint: int) -> None:
    left, top = layout.corner(0, index)
    middle = left + layout.cell[0] / 2
    score, uncertain = float(explanation.scores[keypoint]), bool(explanation.uncertain[keypoint])
    style: dict[str, Any] = dict(ha='center', va='bottom')
    look: dict[str, Any] = dict(color=FAINT, style='italic') if uncertain else dict(color=INK, weight='bold')
    name, size = fitted_name(explanation.names[keypoint], layout.cell[0])
    _write(axes, middle, top - 0.15, name, size, **style, **look)
    below = f' < {explanation.score_thr:.2g}' if uncertain else ''
    look = dict(color=FAINT, style='italic' if uncertain else 'normal')
    _write(axes, middle, top - 0.035, f'{score:.2f}{below}', LETTERS, **style, **look)


def _draw_row_ends(axes: Axes, layout: Layout, block: int, number: int, row: _Row) -> None:
    top, height = layout.cells_top(block, number), layout.cell[1]
    name, size = fitted_name(row.name, height)
    style: dict[str, Any] = dict(rotation=90, ha='center', va='center', multialignment='center', weight='bold')
    _write(axes, layout.cells_left - layout.row_name / 2, top + height / 2, name, size, **style)
    _draw_bar(axes, layout.bar_left, top, height, row)


def _draw_bar(axes: Axes, left: float, top: float, height: float, row: _Row, width: float = 0.11) -> None:
    """Draw the colour scale of a row over middle grey, with numbers; hatch the weights that are not drawn."""
    values = np.linspace(row.top, 0, 256)[:, None]
    colours = laid_over(np.full((256, 1, 3), MIDDLE_GREY), *heat(values, row.top, row.threshold))
    _place(axes, colours, left, top, width, height)
    axes.add_patch(Rectangle((left, top), width, height, fill=False, ec=INK, lw=0.6, zorder=3))
    if row.top <= 0:
        _write(axes, left + width + 0.07, top + height, '0', LETTERS, va='center')
        return
    if row.threshold is not None and row.threshold > 0:
        share = min(row.threshold, row.top) / row.top * height
        axes.add_patch(
            Rectangle((left, top + height - share), width, share, fc='white', ec=FAINT, hatch='/////', lw=0.6, zorder=3)
        )
    for value in _ticks(row.top, row.threshold):
        y = top + height * (1 - value / row.top)
        axes.plot([left + width, left + width + 0.035], [y, y], color=INK, lw=0.6)
        inside = min(max(y, top + 0.05), top + height - 0.05)  # clear of the next row's numbers
        _write(axes, left + width + 0.06, inside, f'{value:.3g}', LETTERS, va='center_baseline')


def _ticks(top: float, threshold: float | None) -> list[float]:
    """Round numbers up to the top, and the threshold in place of the numbers that would touch it."""
    ticks = [value for value in MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]).tick_values(0, top) if 0 <= value <= top]
    if threshold is None or not 0 < threshold <= top:
        return ticks
    return [value for value in ticks if abs(value - threshold) > 0.12 * top] + [threshold]


def _draw_pose(axes: Axes, layout: Layout, block: int, explanation: PoseExplanation, members: list[int]) -> None:
    """Draw the pose over the crop: keypoints of this block large, uncertain ones hollow, their limbs dashed."""
    corner, pose = (layout.margin, layout.cells_top(block)), layout.pose_size
    _place(axes, explanation.crop, *corner, *pose)
    clip = axes.add_patch(Rectangle(corner, *pose, fill=False, ec='none'))
    points = corner + (explanation.crop_keypoints + 0.5) / explanation.crop.shape[1::-1] * pose
    uncertain = explanation.uncertain
    drawn = []
    for limb in explanation.skeleton:
        dashed = uncertain[list(limb)].any()
        style: dict[str, Any] = dict(ls=(0, (2, 2)), lw=1.0) if dashed else dict(ls='-', lw=1.6)
        drawn += axes.plot(*points[list(limb)].T, color=LIMB, zorder=2, **style)
    dot = 2.2 if len(points) > 40 else 4.5
    chosen = np.isin(np.arange(len(points)), members)
    for group, fill, edge in ((~uncertain, DOT, LIMB), (uncertain, 'none', DOT)):
        for part, size in ((group & chosen, dot), (group & ~chosen, 0.6 * dot)):
            drawn += axes.plot(*points[part].T, 'o', markersize=size, mfc=fill, mec=edge, mew=0.9, zorder=3)
    for line in drawn:  # axes.plot would replace a clip given to it
        line.set_clip_path(clip)
    _draw_legend(axes, corner[0], corner[1] + pose[1], bool(uncertain[members].any()), explanation.score_thr)


def _draw_legend(axes: Axes, left: float, top: float, uncertain: bool, score_thr: float) -> None:
    entries = [('o', 'keypoint')] + ([('x', f'score < {score_thr:.2g}')] if uncertain else [])
    for number, (marker, meaning) in enumerate(entries):
        y = top + 0.11 + 0.15 * number
        _mark(axes, np.array([[left + 0.07, y]]), marker)
        _write(axes, left + 0.17, y, meaning, LETTERS, va='center', color=FAINT)
