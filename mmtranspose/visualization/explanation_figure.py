"""What every keypoint of a person depends on, as one figure: layers, or methods, by keypoints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

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
from mmtranspose.visualization.keypoint_selection import keypoint_indices

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
    """Maps of one person over the crop, one row a layer and one column a keypoint, beside the pose.

    All maps of a layer share one colour scale, from 0 to the highest weight of any of the person's keypoints, drawn at
    the row's end. More than 18 keypoints go into several blocks of rows.

    Args:
        explanation (PoseExplanation): Of one person.
        direction (str): ``'dependency'`` or ``'affect'``.
        head (int | None): From 0 on; None averages the heads.
        threshold (float | None): Weights at or below it are not drawn; the authors suggest 0.01.
        keypoints (Sequence[int | str] | None): Keypoints to draw, by number or name; None draws all.
        title (str | None): Drawn above.
        dpi (float): Pixels an inch; a cell is about an inch high.

    Returns:
        np.ndarray: BGR, uint8.

    Raises:
        IndexError: A keypoint's number is not there.
        ValueError: A keypoint's name is unknown; ``direction``, ``head``: see :meth:`PoseExplanation.maps`.
    """
    maps = explanation.maps(direction, head)
    rows = [_Row(f'layer {number}', layer, threshold) for number, layer in enumerate(maps, start=1)]
    notes = [_meaning(direction, head, explanation.num_heads), 'one colour scale a layer']
    if threshold is not None:
        notes.append(f'weights up to {threshold:g} not drawn')
    return _draw(explanation, rows, keypoint_indices(explanation, keypoints), title, notes, dpi)


def relevance_figure(
    explanation: PoseExplanation,
    methods: Sequence[str] | None = None,
    keypoints: Sequence[int | str] | None = None,
    title: str | None = None,
    dpi: float = DPI,
) -> np.ndarray:
    """Maps of several methods over the crop, one row a method and one column a keypoint, beside the pose.

    Each method has its own colour scale, from 0 to its highest relevance for any of the person's keypoints; what is
    not positive is not drawn.

    Args:
        explanation (PoseExplanation): Of one person, with ``relevance``.
        methods (Sequence[str] | None): Of ``explanation.relevance``; None draws all.
        keypoints (Sequence[int | str] | None): Keypoints to draw, by number or name; None draws all.
        title (str | None): Drawn above.
        dpi (float): Pixels an inch.

    Returns:
        np.ndarray: BGR, uint8.

    Raises:
        IndexError: A keypoint's number is not there.
        ValueError: A keypoint or method is unknown, or there is no method.
    """
    methods = list(explanation.relevance) if methods is None else list(methods)
    if not methods:
        raise ValueError('there is no relevance to draw: explain with methods')
    for method in methods:
        if method not in explanation.relevance:
            raise ValueError(
                f'method {method!r} is not there; choose from {", ".join(explanation.relevance) or "none"}'
            )
    rows = [_Row(method, explanation.relevance[method], None) for method in methods]
    return _draw(explanation, rows, keypoint_indices(explanation, keypoints), title, ['one colour scale a method'], dpi)


def _meaning(direction: str, head: int | None, num_heads: int | None) -> str:
    what = 'where each keypoint looks' if direction == 'dependency' else 'places that look at each keypoint'
    heads = 'heads averaged' if head is None else f'head {head + 1} of {num_heads}'
    return f'{direction}: {what}, {heads}'


@dataclass(frozen=True)
class _Row:
    """Maps (K, h, w) that share a colour scale."""

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


def _write(axes: Axes, x: float, y: float, text: str, size: float, **style) -> None:
    axes.text(x, y, text, **{'fontsize': size, 'color': INK, 'parse_math': False, 'linespacing': 1.1, **style})


def _place(axes: Axes, picture: np.ndarray, left: float, top: float, width: float, height: float) -> None:
    """Draw an image, BGR, into a rectangle."""
    shrinks = picture.shape[1] > width * axes.figure.dpi
    extent = (left, left + width, top + height, top)
    axes.imshow(
        picture[..., ::-1], extent=extent, aspect='auto', interpolation='hanning' if shrinks else 'bilinear', zorder=1
    )


def _draw_cells(
    axes: Axes, layout: Layout, explanation: PoseExplanation, rows: list[_Row], keypoints: list[int]
) -> None:
    for number, row in enumerate(rows):
        for first in range(0, len(keypoints), layout.columns):
            pictures = _cell_images(explanation, row, keypoints[first : first + layout.columns])
            for index, picture in enumerate(pictures, start=first):
                _place(axes, picture, *layout.corner(number, index), *layout.cell)
    corners = np.array([[layout.corner(row, index) for index in range(len(keypoints))] for row in range(len(rows))])
    marks = corners + _share_of_crop(explanation)[keypoints] * layout.cell
    uncertain = explanation.uncertain[keypoints]
    _mark(axes, marks[:, ~uncertain].reshape(-1, 2), 'o')
    _mark(axes, marks[:, uncertain].reshape(-1, 2), 'x')


def _cell_images(explanation: PoseExplanation, row: _Row, keypoints: list[int]) -> Iterator[np.ndarray]:
    """The crop in grey under each keypoint's map."""
    grey = in_grey(explanation.crop)
    for weights in explanation.on_crop(row.maps[keypoints]):
        yield laid_over(grey, *heat(weights, row.top, row.threshold))


def _share_of_crop(explanation: PoseExplanation) -> np.ndarray:
    """(K, 2), (x, y) of the keypoints as shares of the crop's width and height; not a number outside the crop."""
    share = (explanation.crop_keypoints + 0.5) / explanation.crop.shape[1::-1]
    return np.where((np.abs(share - 0.5) <= 0.5).all(-1, keepdims=True), share, np.nan)


def _mark(axes: Axes, points: np.ndarray, marker: str) -> None:
    """A ring, or a cross, in white on black, that leaves the weight under it to be seen."""
    size = 4.5 if marker == 'x' else 7.0
    for colour, width in (('black', 1.9), ('white', 0.9)):
        axes.plot(*points.T, marker, markersize=size, mfc='none', mec=colour, mew=width, zorder=4)


def _draw_name(axes: Axes, layout: Layout, index: int, explanation: PoseExplanation, keypoint: int) -> None:
    left, top = layout.corner(0, index)
    middle = left + layout.cell[0] / 2
    score, uncertain = float(explanation.scores[keypoint]), bool(explanation.uncertain[keypoint])
    style = dict(ha='center', va='bottom')
    look = dict(color=FAINT, style='italic') if uncertain else dict(color=INK, weight='bold')
    name, size = fitted_name(explanation.names[keypoint], layout.cell[0])
    _write(axes, middle, top - 0.15, name, size, **style, **look)
    below = f' < {explanation.score_thr:.2g}' if uncertain else ''
    look = dict(color=FAINT, style='italic' if uncertain else 'normal')
    _write(axes, middle, top - 0.035, f'{score:.2f}{below}', LETTERS, **style, **look)


def _draw_row_ends(axes: Axes, layout: Layout, block: int, number: int, row: _Row) -> None:
    top, height = layout.cells_top(block, number), layout.cell[1]
    name, size = fitted_name(row.name, height)
    style = dict(rotation=90, ha='center', va='center', multialignment='center', weight='bold')
    _write(axes, layout.cells_left - layout.row_name / 2, top + height / 2, name, size, **style)
    _draw_bar(axes, layout.bar_left, top, height, row)


def _draw_bar(axes: Axes, left: float, top: float, height: float, row: _Row, width: float = 0.11) -> None:
    """The row's colour scale as it looks over middle grey, with numbers; what is not drawn is hatched."""
    values = np.linspace(row.top, 0, 256)[:, None]
    picture = laid_over(np.full((256, 1, 3), MIDDLE_GREY), *heat(values, row.top, row.threshold))
    _place(axes, picture, left, top, width, height)
    axes.add_patch(Rectangle((left, top), width, height, fill=False, ec=INK, lw=0.6, zorder=3))
    if row.top <= 0:
        return _write(axes, left + width + 0.07, top + height, '0', LETTERS, va='center')
    marked = [] if row.threshold is None or not row.threshold > 0 else [min(row.threshold, row.top)]
    for limit in marked:
        share = limit / row.top * height
        axes.add_patch(
            Rectangle((left, top + height - share), width, share, fc='white', ec=FAINT, hatch='/////', lw=0.6, zorder=3)
        )
    for value in _ticks(row.top, row.threshold):
        y = top + height * (1 - value / row.top)
        axes.plot([left + width, left + width + 0.035], [y, y], color=INK, lw=0.6)
        inside = min(max(y, top + 0.05), top + height - 0.05)  # clear of the next row's numbers
        _write(axes, left + width + 0.06, inside, f'{value:.3g}', LETTERS, va='center_baseline')


def _ticks(top: float, threshold: float | None) -> list[float]:
    """Round numbers up to the top, and the threshold; round ones that would touch it are left out."""
    ticks = [value for value in MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]).tick_values(0, top) if 0 <= value <= top]
    if threshold is None or not 0 < threshold <= top:
        return ticks
    return [value for value in ticks if abs(value - threshold) > 0.12 * top] + [threshold]


def _draw_pose(axes: Axes, layout: Layout, block: int, explanation: PoseExplanation, members: list[int]) -> None:
    """The crop with the pose; keypoints of this block large, uncertain ones and their limbs hollow and dashed."""
    corner, pose = (layout.margin, layout.cells_top(block)), layout.pose_size
    _place(axes, explanation.crop, *corner, *pose)
    clip = axes.add_patch(Rectangle(corner, *pose, fill=False, ec='none'))
    points = corner + (explanation.crop_keypoints + 0.5) / explanation.crop.shape[1::-1] * pose
    uncertain = explanation.uncertain
    drawn = []
    for limb in explanation.skeleton:
        dashed = uncertain[list(limb)].any()
        style = dict(ls=(0, (2, 2)), lw=1.0) if dashed else dict(ls='-', lw=1.6)
        drawn += axes.plot(*points[list(limb)].T, color=LIMB, zorder=2, **style)
    dot = 2.2 if len(points) > 40 else 4.5
    chosen = np.isin(np.arange(len(points)), members)
    for group, look in ((~uncertain, dict(mfc=DOT, mec=LIMB)), (uncertain, dict(mfc='none', mec=DOT))):
        for part, size in ((group & chosen, dot), (group & ~chosen, 0.6 * dot)):
            drawn += axes.plot(*points[part].T, 'o', markersize=size, mew=0.9, zorder=3, **look)
    for line in drawn:  # axes.plot would replace a clip given to it
        line.set_clip_path(clip)
    _draw_legend(axes, corner[0], corner[1] + pose[1], bool(uncertain[members].any()), explanation.score_thr)


def _draw_legend(axes: Axes, left: float, top: float, uncertain: bool, score_thr: float) -> None:
    entries = [('o', 'keypoint')] + ([('x', f'score < {score_thr:.2g}')] if uncertain else [])
    for number, (marker, meaning) in enumerate(entries):
        y = top + 0.11 + 0.15 * number
        _mark(axes, np.array([[left + 0.07, y]]), marker)
        _write(axes, left + 0.17, y, meaning, LETTERS, va='center', color=FAINT)
