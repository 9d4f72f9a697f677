"""From heatmap peaks to the cells of the token grid that they were read from."""

from __future__ import annotations

import torch
from torch import Tensor

from mmtranspose.codecs.peaks import find_peaks


def heatmap_peaks(heatmaps: Tensor) -> Tensor:
    """Where each heatmap (B, K, H, W) is highest: (B, K, 2), integer (row, col) of the heatmap."""
    peaks = find_peaks(heatmaps)
    return torch.stack([peaks.rows, peaks.cols], dim=-1)


def peak_cells(heatmaps: Tensor, grid: tuple[int, int]) -> Tensor:
    """The token whose area holds each heatmap's maximum (as the authors do: coordinates divided, floored).

    Args:
        heatmaps (Tensor): (B, K, H, W).
        grid (tuple[int, int]): Token grid (h, w).

    Returns:
        Tensor: (B, K, 2), integer (row, col) of the token grid.
    """
    return nearest_cells(heatmap_peaks(heatmaps), tuple(heatmaps.shape[-2:]), grid)[0][:, :, 0]


def nearest_cells(peaks: Tensor, heatmap_size: tuple[int, int], grid: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """The one token whose area holds each peak, with weight 1; arguments and result as in :func:`bilinear_cells`."""
    size, tokens = _like(peaks, heatmap_size), _like(peaks, grid)
    cells = (peaks * tokens).div(size, rounding_mode='floor')
    return cells.unsqueeze(2), torch.ones_like(cells[..., :1], dtype=torch.float32)


def bilinear_cells(peaks: Tensor, heatmap_size: tuple[int, int], grid: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """The four tokens next to each peak, with bilinear weights.

    The middle of heatmap cell v lies at token coordinate (v + 0.5) g / G - 0.5. Where a head doubles the resolution by
    a 4x4 deconvolution of stride 2 (TransPose-R), those four tokens are the ones that the heatmap's cell is computed
    from; where it does not (TransPose-H), the peak is one token's, and the others get no weight.

    Args:
        peaks (Tensor): (B, K, 2), integer (row, col) of the heatmap.
        heatmap_size (tuple[int, int]): (H, W).
        grid (tuple[int, int]): Token grid (h, w).

    Returns:
        tuple: cells (B, K, P, 2), integer (row, col) of the token grid; weights (B, K, P), float32, summing to 1. P is
        4, or 1 where the heatmap has the token grid itself.
    """
    size, tokens = _like(peaks, heatmap_size), _like(peaks, grid)
    position = ((peaks + 0.5) * tokens / size - 0.5).clamp(min=0).minimum(tokens - 1)
    low = position.floor()
    high_share = position - low
    corners = torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1]], device=peaks.device)
    cells = (low.long().unsqueeze(2) + corners).minimum(tokens.long() - 1)
    shares = torch.where(corners == 1, high_share.unsqueeze(2), 1 - high_share.unsqueeze(2))
    weights = shares.prod(-1)
    if tuple(heatmap_size) == tuple(grid):
        return cells[:, :, :1], weights[..., :1].float()
    return cells, weights.float()


CELLS = {'bilinear': bilinear_cells, 'nearest': nearest_cells}


def _like(peaks: Tensor, size: tuple[int, int]) -> Tensor:
    return torch.tensor(size, device=peaks.device)
