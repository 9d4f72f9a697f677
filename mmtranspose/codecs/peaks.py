"""Where heatmaps are highest."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Peaks(NamedTuple):
    """The highest cell of each of some heatmaps (..., H, W).

    Attributes:
        rows (Tensor): (...), integer.
        cols (Tensor): (...), integer.
        heights (Tensor): (...), the heatmaps' values there.
    """

    rows: Tensor
    cols: Tensor
    heights: Tensor

    def select(self, which: Tensor) -> Peaks:
        """The peaks of some of the heatmaps."""
        return Peaks(*(values[which] for values in self))


def find_peaks(heatmaps: Tensor) -> Peaks:
    """The maxima as MMPose's ``get_heatmap_maximum`` finds them: of equal cells the first, row by row; NaN wins.

    Args:
        heatmaps (Tensor): (..., H, W), float32, of at least three dimensions.

    Returns:
        Peaks: On the heatmaps' device.
    """
    flat = heatmaps.detach().flatten(-2)
    # PyTorch's argmax on the CPU takes ten times as long as NumPy's
    index = torch.from_numpy(flat.numpy().argmax(-1)) if flat.device.type == 'cpu' else flat.argmax(-1)
    heights = flat.gather(-1, index.unsqueeze(-1)).squeeze(-1)
    rows = index.div(heatmaps.shape[-1], rounding_mode='floor')
    return Peaks(rows, index - rows * heatmaps.shape[-1], heights)
