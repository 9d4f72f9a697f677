"""Find the highest cell of each heatmap."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Peaks(NamedTuple):
    """The highest cells of heatmaps (..., H, W).

    Attributes:
        rows (Tensor): (...), integer; the row of each heatmap's highest cell.
        cols (Tensor): (...), integer; its column.
        heights (Tensor): (...); the heatmap's value there.
    """

    rows: Tensor
    cols: Tensor
    heights: Tensor

    def select(self, which: Tensor) -> Peaks:
        """The peaks of the heatmaps with the indices ``which``."""
        return Peaks(*(values[which] for values in self))


def find_peaks(heatmaps: Tensor) -> Peaks:
    """Find maxima as MMPose's ``get_heatmap_maximum`` does.

    Of several equal cells, the first in row-major order is found; NaN counts as the highest value.

    Args:
        heatmaps (Tensor): (..., H, W), float32, with at least three dimensions.

    Returns:
        Peaks: Tensors on the heatmaps' device.
    """
    flat = heatmaps.detach().flatten(-2)
    # PyTorch's argmax on the CPU takes ten times as long as NumPy's, which cannot be traced
    with_numpy = flat.device.type == 'cpu' and not torch.compiler.is_compiling()
    index = torch.from_numpy(flat.numpy().argmax(-1)) if with_numpy else flat.argmax(-1)
    heights = flat.gather(-1, index.unsqueeze(-1)).squeeze(-1)
    rows = index.div(heatmaps.shape[-1], rounding_mode='floor')
    return Peaks(rows, index - rows * heatmaps.shape[-1], heights)
