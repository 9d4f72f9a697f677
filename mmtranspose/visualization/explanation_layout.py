"""Where things stand in a figure of explanations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmtranspose.visualization.canvas import spaced, text_height, text_width, wrapped

if TYPE_CHECKING:
    from mmtranspose.explain import PoseExplanation

MAX_COLUMNS = 18
NAME_SIZE = 8.0  # points


@dataclass(frozen=True)
class Layout:
    """Where things stand in the figure, in inches from its top left corner.

    A block of rows holds the pose, the rows' names, a cell for each keypoint, and the colour bars.
    """

    rows: int
    keypoints: int
    cell: tuple[float, float]  # width, height
    header: float  # title and note
    row_name: float
    names: float

    margin = 0.14
    gap = 0.05
    legend = 0.36
    bar = 0.78

    @classmethod
    def of(cls, explanation: PoseExplanation, rows: Sequence[str], keypoints: list[int], header: float = 0) -> Layout:
        """For the person's crop and rows of these names; a cell is one square inch, and wide enough for a name."""
        aspect = explanation.crop.shape[1] / explanation.crop.shape[0]
        width = max(0.8, math.sqrt(aspect))
        cell = (width, width / aspect)
        row_name = max(text_height(*fitted_name(row, cell[1])) for row in rows)
        name = max(text_height(*fitted_name(explanation.names[keypoint], width)) for keypoint in keypoints)
        return cls(len(rows), len(keypoints), cell, header, row_name + 0.12, name + 0.22)

    @property
    def blocks(self) -> int:
        return math.ceil(self.keypoints / MAX_COLUMNS)

    @property
    def columns(self) -> int:
        return math.ceil(self.keypoints / self.blocks)

    @property
    def pose_size(self) -> tuple[float, float]:
        """(width, height): that of two rows, where there are two."""
        rows = min(self.rows, 2)
        height = rows * self.cell[1] + (rows - 1) * self.gap
        return height * self.cell[0] / self.cell[1], height

    @property
    def cells_left(self) -> float:
        return self.margin + self.pose_size[0] + self.gap + self.row_name

    @property
    def bar_left(self) -> float:
        return self.cells_left + self.columns * (self.cell[0] + self.gap) + self.gap

    @property
    def block_height(self) -> float:
        rows = self.rows * (self.cell[1] + self.gap)
        return self.names + max(rows, self.pose_size[1] + self.legend) + self.margin

    @property
    def size(self) -> tuple[float, float]:
        """(width, height) of the figure."""
        return self.bar_left + self.bar, self.header + self.blocks * self.block_height

    def cells_top(self, block: int, row: int = 0) -> float:
        return self.header + block * self.block_height + self.names + row * (self.cell[1] + self.gap)

    def corner(self, row: int, index: int) -> tuple[float, float]:
        """(left, top) of the cell of the keypoint drawn as number ``index``."""
        block, column = divmod(index, self.columns)
        return self.cells_left + column * (self.cell[0] + self.gap), self.cells_top(block, row)


def fitted_name(name: str, width: float) -> tuple[str, float]:
    """A name over several lines, broken where its words end, and the size in points at which it fits."""
    text = wrapped(spaced(name), width, NAME_SIZE, break_words=False)
    return text, min(NAME_SIZE, NAME_SIZE * width / max(text_width(text, NAME_SIZE), 1e-6))
