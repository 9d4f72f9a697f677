"""Draw how much of each keypoint's attention lies on each body part, as coloured matrices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from mmtranspose.errors import InputError
from mmtranspose.visualization.canvas import (
    DPI,
    FAINT,
    INK,
    LETTERS,
    TITLE,
    new_figure,
    rendered,
    spaced,
    text_height,
    text_width,
    wrapped,
    write_title,
)

SHARES, DIFFERENCES = matplotlib.colormaps['viridis'], matplotlib.colormaps['RdBu_r']
MISSING = '#e4e4e8'
MOST_NUMBERS = 24  # columns up to which the cells of a matrix hold their numbers
CELL, SMALL_CELL, LARGE_CELL = 0.21, 0.115, 0.42  # sides in inches: with numbers, without, of a matrix of few columns
NUMBER = 5.5  # font size in points in a cell of side ``CELL``


def dependency_matrix_figure(
    shares: ArrayLike,
    names: Sequence[str],
    part_names: Sequence[str],
    title: str | None = None,
    occluded: ArrayLike | None = None,
    dpi: float = DPI,
) -> np.ndarray:
    """Draw how much of each keypoint's attention lies on each body part, one matrix a layer.

    With ``occluded`` there are three rows: visible keypoints, occluded keypoints on the same colour scale, and the
    difference (occluded minus visible) in colours centred at 0. Missing values are hatched.

    Args:
        shares (ArrayLike): (L, K, J), mean share of a keypoint's attention, 0 to 1; NaN where there is no value.
        names (Sequence[str]): Names of the K keypoints.
        part_names (Sequence[str]): Names of the J body parts.
        title (str | None): Title above the matrices.
        occluded (ArrayLike | None): (L, K, J), the shares of occluded keypoints; ``shares`` is then of visible ones.
        dpi (float): Pixels an inch.

    Returns:
        np.ndarray: (h, w, 3), BGR, uint8.

    Raises:
        InputError: Shapes do not agree.
    """
    shares = _matrices(shares, names, part_names)
    rows = [('', shares, SHARES, 0.0)]
    if occluded is not None:
        hidden = _matrices(occluded, names, part_names)
        if hidden.shape != shares.shape:
            raise InputError(f'occluded must have the shape of shares, {shares.shape}, not {hidden.shape}')
        change = hidden - shares
        rows = [('visible', shares, SHARES, 0.0), ('occluded', hidden, SHARES, 0.0)]
        rows.append(('occluded − visible', change, DIFFERENCES, -_top(change)))
    tops = [_top(*(row[1] for row in rows if row[2] is colours)) for _, _, colours, _ in rows]
    titles = [[f'layer {layer}' + (row[0] and f', {row[0]}') for layer in range(1, len(shares) + 1)] for row in rows]
    figure, grid = _matrix_grid(titles, shares.shape, names, part_names, title, dpi)
    side = grid[0][0].get_position().width * figure.get_figwidth() / len(part_names)
    number_size = NUMBER * max(1, min(side, LARGE_CELL) / CELL) ** 0.6
    for (_, matrices, colours, low), top, line, heads in zip(rows, tops, grid, titles, strict=True):
        for axes, matrix, head in zip(line, matrices, heads, strict=False):
            _draw_matrix(axes, matrix, colours, low, top, number_size)
            axes.set_title(head, fontsize=LETTERS + 2, color=INK)
            _label_matrix(axes, names if axes is line[0] else (), part_names if line is grid[-1] else ())
        _draw_scale(figure, line[-1], line[0].images[0], 'share of attention' if low == 0 else 'difference')
    return rendered(figure)


def _matrices(values: ArrayLike, names: Sequence[str], part_names: Sequence[str]) -> np.ndarray:
    values = np.asarray(values, float)
    if values.ndim != 3 or values.shape[1:] != (len(names), len(part_names)) or not values.size:
        raise InputError(f'shares must have shape (L, {len(names)}, {len(part_names)}), not {values.shape}')
    return values


def _top(*values: np.ndarray) -> float:
    """The largest finite magnitude; at least 1e-6, so that a scale has a length."""
    return max([1e-6, *(float(np.abs(part[np.isfinite(part)]).max(initial=0)) for part in values)])


def _matrix_grid(
    titles: Sequence[Sequence[str]],
    shape: tuple[int, ...],
    names: Sequence[str],
    part_names: Sequence[str],
    title: str | None,
    dpi: float,
) -> tuple[Figure, list[list[Axes]]]:
    """Make a figure with axes for a matrix under each title, and for a colour scale at the end of each row."""
    rows, (layers, height, width) = len(titles), shape
    widest = max(text_width(head, LETTERS + 2) for heads in titles for head in heads)
    cell = min(max(CELL, widest / width), LARGE_CELL) if width <= MOST_NUMBERS else SMALL_CELL
    left = max(text_width(spaced(name), LETTERS) for name in names) + 0.25
    below = max(text_width(spaced(name), LETTERS) for name in part_names) + 0.2
    across, down = max(width * cell, widest, 0.9), max(height * cell, 0.6)
    total = left + layers * (across + 0.15) + 0.95
    title = wrapped(title or '', total - 0.3, TITLE)
    header = 0.2 + text_height(title, TITLE)
    size = (total, header + rows * (down + 0.35) + below)
    figure = new_figure(*size, dpi)
    write_title(figure, title)
    grid = []
    for row in range(rows):
        bottom = size[1] - header - (row + 1) * (down + 0.35) + 0.05
        lefts = [left + layer * (across + 0.15) for layer in range(layers)]
        line = [figure.add_axes(_share((x, bottom, across, down), size)) for x in lefts]
        tall = min(down, 3.0)
        line.append(figure.add_axes(_share((lefts[-1] + across + 0.12, bottom + down - tall, 0.13, tall), size)))
        grid.append(line)
    return figure, grid


def _share(box: tuple[float, float, float, float], size: tuple[float, float]) -> tuple[float, float, float, float]:
    """Convert (left, bottom, width, height) from inches to shares of the figure's size."""
    return box[0] / size[0], box[1] / size[1], box[2] / size[0], box[3] / size[1]


def _draw_matrix(axes: Axes, matrix: np.ndarray, colours: Any, low: float, top: float, number_size: float) -> None:
    axes.set_facecolor(MISSING)
    image = axes.imshow(matrix, cmap=colours, vmin=low, vmax=top, aspect='auto', interpolation='nearest')
    missing = np.ma.masked_where(np.isfinite(matrix), np.zeros_like(matrix))
    if missing.count():
        hatched = axes.pcolor(np.arange(matrix.shape[1] + 1) - 0.5, np.arange(matrix.shape[0] + 1) - 0.5, missing)
        hatched.set(facecolor='none', edgecolor='#b4b4bc', hatch='//////', linewidth=0)
    axes.tick_params(length=0, labelsize=LETTERS, labelcolor=INK)
    axes.spines[:].set_visible(False)
    if matrix.shape[1] > MOST_NUMBERS:
        return
    for (row, column), value in np.ndenumerate(matrix):
        if np.isfinite(value):
            r, g, b = image.cmap(image.norm(value))[:3]
            ink = 'white' if 0.3 * r + 0.59 * g + 0.11 * b < 0.5 else INK
            style: dict[str, Any] = dict(fontsize=number_size, color=ink, ha='center', va='center_baseline')
            axes.text(column, row, _percent(value), **style)


def _percent(value: float) -> str:
    """A share in per cent, without the percent sign; a dot for a share that rounds to 0."""
    number = round(100 * value)
    return f'{number:d}'.replace('-', '−') if number else '·'


def _label_matrix(axes: Axes, names: Sequence[str], part_names: Sequence[str]) -> None:
    """Write the names of keypoints beside a matrix and the names of body parts below it, as far as they are given."""
    axes.set_yticks(range(len(names)), [spaced(name) for name in names])
    axes.set_xticks(range(len(part_names)), [spaced(name) for name in part_names], rotation=90)


def _draw_scale(figure: Figure, axes: Axes, image: Any, label: str) -> None:
    bar = figure.colorbar(image, cax=axes)
    bar.ax.yaxis.set_major_formatter(lambda value, _: f'{100 * value:.3g} %')
    bar.ax.tick_params(labelsize=LETTERS, length=2, color=FAINT, labelcolor=INK)
    bar.set_label(label, fontsize=LETTERS, color=FAINT)
    bar.outline.set_visible(False)
