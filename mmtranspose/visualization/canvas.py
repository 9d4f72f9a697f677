"""Matplotlib figures as images: no display, no pyplot and no state shared between threads."""

from __future__ import annotations

import textwrap

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

INK = '#1b1b1f'
FAINT = '#77777f'
DPI = 120
LETTERS, TITLE = 7.0, 11.0  # points
POINTS_PER_INCH = 72
LETTER = 0.6  # width of a letter, on average, as a share of the font's size
LINE = 1.25  # distance of two lines, as a share of the font's size


def new_figure(width: float, height: float, dpi: float) -> Figure:
    """A white figure of ``width`` by ``height`` inches."""
    figure = Figure(figsize=(width, height), dpi=dpi, facecolor='white')
    FigureCanvasAgg(figure)
    return figure


def sheet_axes(figure: Figure) -> Axes:
    """Axes over the whole figure whose coordinates are inches from the top left corner."""
    axes = figure.add_axes((0, 0, 1, 1))
    width, height = figure.get_size_inches()
    axes.set(xlim=(0, width), ylim=(height, 0), autoscale_on=False)
    axes.set_axis_off()
    return axes


def rendered(figure: Figure) -> np.ndarray:
    """The figure's pixels: (h, w, 3), BGR, uint8."""
    figure.canvas.draw()
    return np.ascontiguousarray(np.asarray(figure.canvas.buffer_rgba())[..., 2::-1])


def text_width(text: str, size: float) -> float:
    """Estimated width in inches of the text's longest line, ``size`` in points."""
    return max(map(len, text.split('\n')), default=0) * size * LETTER / POINTS_PER_INCH


def text_height(text: str, size: float) -> float:
    """Height in inches of the text's lines, ``size`` in points."""
    return (text.count('\n') + 1) * size * LINE / POINTS_PER_INCH if text else 0.0


def wrapped(text: str, width: float, size: float, break_words: bool = True) -> str:
    """The text broken into lines of at most ``width`` inches, ``size`` in points."""
    letters = max(8, int(width / text_width('x', size)))
    return '\n'.join(textwrap.wrap(text, letters, break_long_words=break_words))


def write_title(figure: Figure, title: str) -> None:
    """The title in the figure's upper left corner, ``TITLE`` points large."""
    width, height = figure.get_size_inches()
    style = dict(fontsize=TITLE, weight='bold', color=INK, va='top', ha='left', parse_math=False)
    figure.text(0.12 / width, 1 - 0.12 / height, title, **style)


def spaced(name: str) -> str:
    """A name such as ``left_wrist`` in words."""
    return name.replace('_', ' ')
