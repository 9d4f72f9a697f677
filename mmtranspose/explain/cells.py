"""From predictions to the cells of the token grid that they were made in."""

from __future__ import annotations

import torch
from torch import Tensor


def peak_cells(heatmaps: Tensor, grid: tuple[int, int]) -> Tensor:
    """The token whose area holds each heatmap's maximum (as the authors do: coordinates divided, floored).

    Args:
        heatmaps (Tensor): (B, K, H, W).
        grid (tuple[int, int]): Token grid (h, w).

    Returns:
        Tensor: (B, K, 2), integer (row, col) of the token grid.
    """
    height, width = heatmaps.shape[-2:]
    peak = heatmaps.flatten(2).argmax(-1)
    row = peak.div(width, rounding_mode='floor') * grid[0] // height
    col = peak % width * grid[1] // width
    return torch.stack([row, col], dim=-1)
