"""Render Matplotlib figures as images, without display, pyplot or state that threads would share."""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

INK = '#1b1b1f'
FAINT = '#77777f'
DPI = 120
LETTERS, TITLE = 7.0, 11.0  # font sizes in points
POINTS_PER_INCH = 72
LETTER = 0.6  # average width of a letter, as a share of the font size
LINE = 1.25  # distance of two lines, as a share of the font size


def new_figure(width: float, height: float, dpi: float) -> Figure:
    """Make a white figure of ``width`` by ``height`` inches."""
    return Figure(figsize=(width, height), dpi=dpi, facecolor='white')


def sheet_axes(figure: Figure) -> Axes:
    """Make axes that cover the whole figure; their coordinates are inches from the top left corner."""
    axes = figure.add_axes((0, 0, 1, 1))
    width, height = figure.get_size_inches()
    axes.set(xlim=(0, width), ylim=(height, 0), autoscale_on=False)
    axes.set_axis_off()
    return axes


def rendered(figure: Figure) -> np.ndarray:
    """Render a figure: (h, w, 3), BGR, uint8."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[..., 2::-1])


def text_width(text: str, size: float) -> float:
    """Estimate the width in inches of the longest line of a text, ``size`` in points."""
    return max(map(len, text.split('\n')), default=0) * size * LETTER / POINTS_PER_INCH


def text_height(text: str, size: float) -> float:
    """The height in inches of the lines of a text, ``size`` in points."""
    return (text.count('\n') + 1) * size * LINE / POINTS_PER_INCH if text else 0.0


def wrapped(text: str, width: float, size: float, break_words: bool = True) -> str:
    """Break a text into lines of at most ``width`` inches, ``size`` in points."""
    letters = max(8, int(width / text_width('x', size)))
    return '\n'.join(textwrap.wrap(text, letters, break_long_words=break_words))


def write_title(figure: Figure, title: str) -> None:
    """Write a title of ``TITLE`` points in the upper left corner of a figure."""
    width, height = figure.get_size_inches()
    style: dict[str, Any] = dict(fontsize=TITLE, weight='bold', color=INK, va='top', ha='left', parse_math=False)
    figure.text(0.12 / width, 1 - 0.12 / height, title, **style)


def spaced(name: str) -> str:
    """Spell a name such as ``left_wrist`` in words: ``left wrist``."""
    return name.replace('_', ' ')
