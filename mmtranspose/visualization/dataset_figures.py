"""Draw means and intervals over a dataset as lines and dots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

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
    wrapped,
    write_title,
)

LINE_COLOURS = ('#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#1b1b1f')  # Okabe and Ito
LINE_MARKERS = 'osD^vPX'


def layer_profile_figure(
    entropy: Mapping[str, ArrayLike],
    reach: Mapping[str, ArrayLike],
    title: str | None = None,
    entropy_label: str = 'entropy (nats)',
    reach_label: str = 'reach (torso lengths)',
    dpi: float = DPI,
) -> np.ndarray:
    """Draw how spread out attention is and how far it reaches in each layer, one line a group of keypoints.

    Args:
        entropy (Mapping[str, ArrayLike]): (L, 3), mean, low end and high end of the interval, by name of the group
            (such as visible and occluded); NaN where there is no value.
        reach (Mapping[str, ArrayLike]): The same for the reach.
        title (str | None): Title above the panels.
        entropy_label (str): Name and unit of the entropy.
        reach_label (str): Name and unit of the reach.
        dpi (float): Pixels an inch.

    Returns:
        np.ndarray: (h, w, 3), BGR, uint8.

    Raises:
        InputError: The values of a group are not (L, 3).
    """
    groups = list(dict.fromkeys([*entropy, *reach]))
    figure, panels = _panels(2, 3.6, 2.6, title, dpi)
    for axes, lines, label in zip(panels, (entropy, reach), (entropy_label, reach_label), strict=True):
        layers = 1
        for group, values in lines.items():
            layers = max(layers, _draw_line(axes, group, values, groups.index(group)))
        axes.set_xticks(range(layers), [str(layer) for layer in range(1, layers + 1)])
        axes.set_xlim(-0.3, layers - 0.7)
        _label(axes, 'layer', label)
    _draw_keys(panels[0])
    return rendered(figure)


def randomization_figure(
    blocks: Sequence[str],
    correlations: Mapping[str, ArrayLike],
    title: str | None = None,
    label: str = 'rank correlation with the original map',
    dpi: float = DPI,
) -> np.ndarray:
    """Draw how similar the maps of each method stay as the network's weights are randomised, from the head down.

    The line of a method that explains the network falls to 0 (Adebayo et al., Sanity Checks for Saliency Maps).

    Args:
        blocks (Sequence[str]): Names of the B blocks, in the order of their randomisation.
        correlations (Mapping[str, ArrayLike]): (B, 3), mean, low end and high end of the interval, by method; NaN where
            there is no value.
        title (str | None): Title above the panel.
        label (str): Label of the vertical axis.
        dpi (float): Pixels an inch.

    Returns:
        np.ndarray: (h, w, 3), BGR, uint8.

    Raises:
        InputError: The values of a method are not (B, 3).
    """
    below = max(map(len, blocks), default=0) * 0.045
    height = max(2.8 + below, 0.2 * len(correlations))  # of the legend
    figure, (axes,) = _panels(1, max(4.2, 0.45 * len(blocks)), height, title, dpi, legend=1.7)
    for number, (method, values) in enumerate(correlations.items()):
        if _draw_line(axes, method, values, number) != len(blocks):
            raise InputError(f'{method!r} must have shape ({len(blocks)}, 3), not {np.shape(values)}')
    axes.set_ylim(None, max(1.02, axes.get_ylim()[1]))
    axes.axhline(0, color=FAINT, lw=0.8, ls=(0, (4, 3)), zorder=1)
    axes.set_xticks(range(len(blocks)), [spaced(block) for block in blocks], rotation=40, ha='right')
    axes.set_xlim(-0.4, len(blocks) - 0.6)
    _label(axes, 'weights replaced, from the head down to', label)
    _draw_keys(axes, beside=True)
    return rendered(figure)


def _panels(
    count: int, width: float, height: float, title: str | None, dpi: float, legend: float = 0
) -> tuple[Figure, list[Axes]]:
    """Make a figure with ``count`` plain panels of about this size in inches in a row, under a title."""
    total = count * width + legend
    title = wrapped(title or '', total - 0.3, TITLE)
    header = text_height(title, TITLE) + 0.1 if title else 0
    figure = new_figure(total, height + header, dpi)
    figure.set_layout_engine('constrained', rect=(0, 0, 1, 1 - header / (height + header)), w_pad=0.1, h_pad=0.1)
    write_title(figure, title)
    panels = list(figure.subplots(1, count, squeeze=False)[0])
    for axes in panels:
        axes.set_facecolor('white')
        axes.spines[['top', 'right']].set_visible(False)
        axes.spines[['left', 'bottom']].set_color(FAINT)
        axes.tick_params(labelsize=LETTERS + 1, color=FAINT, labelcolor=INK)
        axes.grid(axis='y', color='#ececf0', lw=0.8)
        axes.set_axisbelow(True)
    return figure, panels


def _draw_line(axes: Axes, name: str, values: ArrayLike, number: int) -> int:
    """Draw a line with the band of its interval, interrupted where values are missing; returns the number of points."""
    values = np.asarray(values, float)
    if values.ndim != 2 or values.shape[1] != 3:
        raise InputError(f'{name!r} must have shape (points, 3): mean, low, high; not {values.shape}')
    mean, low, high = values.T
    colour = LINE_COLOURS[number % len(LINE_COLOURS)]
    marker = LINE_MARKERS[(number + number // len(LINE_COLOURS)) % len(LINE_MARKERS)]  # none twice in one colour
    at = np.arange(len(mean))
    axes.fill_between(at, low, high, color=colour, alpha=0.13, lw=0)
    axes.vlines(at, low, high, color=colour, alpha=0.5, lw=1)
    axes.plot(at, mean, color=colour, marker=marker, markersize=4.5, lw=1.6, label=spaced(name))
    return len(mean)


def _label(axes: Axes, x: str, y: str) -> None:
    axes.set_xlabel(x, fontsize=LETTERS + 2, color=INK)
    axes.set_ylabel(y, fontsize=LETTERS + 2, color=INK)


def _draw_keys(axes: Axes, beside: bool = False) -> None:
    if axes.get_legend_handles_labels()[0]:
        place: dict[str, Any] = dict(loc='upper left', bbox_to_anchor=(1.01, 1)) if beside else dict(loc='best')
        axes.legend(fontsize=LETTERS + 1, frameon=False, labelcolor=INK, **place)


def faithfulness_figure(rows: Sequence[Mapping[str, Any]], title: str | None = None, dpi: float = DPI) -> np.ndarray:
    """Draw mean and interval of every method, one panel a measure; controls are hollow and grey, below a line.

    A dotted line marks the mean of each control. A method whose interval includes the line is not shown to be better
    than the control.

    Args:
        rows (Sequence[Mapping[str, Any]]): ``measure`` and ``method`` (str), ``mean``, ``low``, ``high`` (float; NaN or
            None where missing), and, if known, ``control`` (bool) and ``higher_is_better`` (bool or None).
        title (str | None): Title above the panels.
        dpi (float): Pixels an inch.

    Returns:
        np.ndarray: (h, w, 3), BGR, uint8.

    Raises:
        InputError: There are no rows.
    """
    if not rows:
        raise InputError('faithfulness_figure needs at least one row')
    measures = list(dict.fromkeys(row['measure'] for row in rows))
    controls = dict.fromkeys(row['method'] for row in rows if row.get('control'))
    methods = [method for method in dict.fromkeys(row['method'] for row in rows) if method not in controls]
    places = {method: number for number, method in enumerate([*methods, *controls])}
    figure, panels = _panels(len(measures), 2.3, 0.85 + 0.27 * len(places), title, dpi, legend=1.2)
    for axes, measure in zip(panels, measures, strict=True):
        members = [row for row in rows if row['measure'] == measure]
        for row in members:
            _draw_interval(axes, row, places[row['method']], row['method'] in controls)
        _finish_measure(axes, measure, members, places, len(methods))
    panels[0].set_yticklabels([spaced(name) for name in places])
    for label, method in zip(panels[0].get_yticklabels(), places, strict=True):
        label.set(color=FAINT if method in controls else INK, style='italic' if method in controls else 'normal')
    return rendered(figure)


def _draw_interval(axes: Axes, row: Mapping[str, Any], place: int, control: bool) -> None:
    mean, low, high = (np.nan if row.get(key) is None else float(row[key]) for key in ('mean', 'low', 'high'))
    if not np.isfinite(mean):
        return
    colour = FAINT if control else LINE_COLOURS[0]
    if control:
        axes.axvline(mean, color=FAINT, lw=0.8, ls=(0, (1, 2)), zorder=1)
    axes.plot([low, high], [place, place], color=colour, lw=1.8, solid_capstyle='butt', zorder=2)
    axes.plot(mean, place, 'o', markersize=5.5, mfc='white' if control else colour, mec=colour, mew=1.3, zorder=3)


def _finish_measure(
    axes: Axes, measure: str, members: Sequence[Mapping[str, Any]], places: Mapping[str, int], methods: int
) -> None:
    better = next((row['higher_is_better'] for row in members if row.get('higher_is_better') is not None), None)
    arrow = {True: 'higher is better →', False: '← lower is better', None: ''}[better]
    axes.set_title(wrapped(spaced(measure), 2.0, LETTERS + 2), fontsize=LETTERS + 2, color=INK, weight='bold')
    axes.set_xlabel(arrow, fontsize=LETTERS + 1, color=FAINT)
    axes.set(ylim=(len(places) - 0.5, -0.5))
    axes.set_yticks(range(len(places)), [''] * len(places))
    axes.locator_params(axis='x', nbins=4)
    axes.spines['left'].set_visible(False)
    axes.tick_params(axis='y', length=0)
    if 0 < methods < len(places):
        axes.axhline(methods - 0.5, color='#c8c8d0', lw=0.8)
    shown = {row['method'] for row in members if row.get('mean') is not None and np.isfinite(row['mean'])}
    for method, place in places.items():
        if method not in shown:
            style: dict[str, Any] = dict(ha='center', va='center', fontsize=LETTERS, color=FAINT, style='italic')
            axes.text(0.5, place, 'no value', transform=axes.get_yaxis_transform(), **style)
