"""Places and sizes of the elements of an explanation figure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from mmtranspose.visualization.canvas import spaced, text_height, text_width, wrapped

if TYPE_CHECKING:
    from mmtranspose.explain import PoseExplanation

MAX_COLUMNS = 18
NAME_SIZE = 8.0  # font size in points


@dataclass(frozen=True)
class Layout:
    """Places of the elements of a figure, in inches from its top left corner.

    The figure consists of blocks one below the other. A block holds the pose, the names of the rows, a cell for each
    row and keypoint, and a colour bar for each row.

    Attributes:
        rows (int): Number of rows: layers or methods.
        keypoints (int): Number of keypoints drawn.
        cell (tuple[float, float]): (width, height) of a cell.
        header (float): Height of title and note.
        row_name (float): Width of the names of the rows.
        names (float): Height of the names of the keypoints.
    """

    rows: int
    keypoints: int
    cell: tuple[float, float]
    header: float
    row_name: float
    names: float

    margin: ClassVar[float] = 0.14
    gap: ClassVar[float] = 0.05
    legend: ClassVar[float] = 0.36
    bar: ClassVar[float] = 0.78

    @classmethod
    def of(cls, explanation: PoseExplanation, rows: Sequence[str], keypoints: list[int], header: float = 0) -> Layout:
        """The layout for a person's crop, rows of these names, and keypoints of these numbers.

        A cell has the crop's shape and an area of one square inch, or more if a name needs the width.
        """
        aspect = explanation.crop.shape[1] / explanation.crop.shape[0]
        width = max(0.8, math.sqrt(aspect))
        cell = (width, width / aspect)
        row_name = max(text_height(*fitted_name(row, cell[1])) for row in rows)
        name = max(text_height(*fitted_name(explanation.names[keypoint], width)) for keypoint in keypoints)
        return cls(len(rows), len(keypoints), cell, header, row_name + 0.12, name + 0.22)

    @property
    def blocks(self) -> int:
        """Number of blocks."""
        return math.ceil(self.keypoints / MAX_COLUMNS)

    @property
    def columns(self) -> int:
        """Number of cells in a row of a block."""
        return math.ceil(self.keypoints / self.blocks)

    @property
    def pose_size(self) -> tuple[float, float]:
        """(width, height) of the pose: as high as two rows, if there are two."""
        rows = min(self.rows, 2)
        height = rows * self.cell[1] + (rows - 1) * self.gap
        return height * self.cell[0] / self.cell[1], height

    @property
    def cells_left(self) -> float:
        """Left edge of the first cell of each row."""
        return self.margin + self.pose_size[0] + self.gap + self.row_name

    @property
    def bar_left(self) -> float:
        """Left edge of the colour bars."""
        return self.cells_left + self.columns * (self.cell[0] + self.gap) + self.gap

    @property
    def block_height(self) -> float:
        """Height of a block."""
        rows = self.rows * (self.cell[1] + self.gap)
        return self.names + max(rows, self.pose_size[1] + self.legend) + self.margin

    @property
    def size(self) -> tuple[float, float]:
        """(width, height) of the figure."""
        return self.bar_left + self.bar, self.header + self.blocks * self.block_height

    def cells_top(self, block: int, row: int = 0) -> float:
        """Top edge of a row of cells."""
        return self.header + block * self.block_height + self.names + row * (self.cell[1] + self.gap)

    def corner(self, row: int, index: int) -> tuple[float, float]:
        """(left, top) of the cell of the keypoint that is drawn as number ``index``."""
        block, column = divmod(index, self.columns)
        return self.cells_left + column * (self.cell[0] + self.gap), self.cells_top(block, row)


def fitted_name(name: str, width: float) -> tuple[str, float]:
    """Break a name into lines between its words; returns the lines and the font size in points at which they fit."""
    text = wrapped(spaced(name), width, NAME_SIZE, break_words=False)
    return text, min(NAME_SIZE, NAME_SIZE * width / max(text_width(text, NAME_SIZE), 1e-6))
