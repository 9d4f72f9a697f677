"""The target of an explanation: the value of each keypoint's heatmap at its peak, and the tokens at that peak."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from mmtranspose.codecs.peaks import find_peaks
from mmtranspose.errors import require_choice
from mmtranspose.explain.token_grid import map_size


def heatmap_peaks(heatmaps: Tensor) -> Tensor:
    """Find where each heatmap (B, K, H, W) is highest: (B, K, 2), integer (row, col) of the heatmap."""
    peaks = find_peaks(heatmaps)
    return torch.stack([peaks.rows, peaks.cols], dim=-1)


def peak_cells(heatmaps: Tensor, grid: tuple[int, int]) -> Tensor:
    """Find the token whose area holds each heatmap's maximum: coordinates divided and floored.

    The authors' script floors the refined position, which lies in another token for about a third of the keypoints.

    Args:
        heatmaps (Tensor): (B, K, H, W).
        grid (tuple[int, int]): Token grid (h, w).

    Returns:
        Tensor: (B, K, 2), integer (row, col) of the token grid.
    """
    return nearest_cells(heatmap_peaks(heatmaps), map_size(heatmaps), grid)[0][:, :, 0]


def nearest_cells(peaks: Tensor, heatmap_size: tuple[int, int], grid: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Find the one token whose area holds each peak; its weight is 1. Otherwise as :func:`bilinear_cells`."""
    size, tokens = _as_tensor(heatmap_size, peaks), _as_tensor(grid, peaks)
    cells = (peaks * tokens).div(size, rounding_mode='floor')
    return cells.unsqueeze(2), torch.ones_like(cells[..., :1], dtype=torch.float32)


def bilinear_cells(peaks: Tensor, heatmap_size: tuple[int, int], grid: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Find the four tokens next to each peak, with bilinear weights.

    The middle of heatmap cell v of G lies at token coordinate (v + 0.5) g / G - 0.5 of g. Where the head doubles the
    resolution by a 4x4 deconvolution of stride 2 (TransPose-R), the heatmap's cell is computed from those four tokens.
    Where it does not (TransPose-H), the heatmap's cell is one token's own, which gets all the weight.

    Args:
        peaks (Tensor): (B, K, 2), integer (row, col) of the heatmap.
        heatmap_size (tuple[int, int]): (H, W).
        grid (tuple[int, int]): Token grid (h, w).

    Returns:
        tuple[Tensor, Tensor]: cells (B, K, P, 2), integer (row, col) of the token grid; weights (B, K, P), float32,
        summing to 1. P is 4, or 1 where the heatmap has the size of the token grid.
    """
    size, tokens = _as_tensor(heatmap_size, peaks), _as_tensor(grid, peaks)
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


@dataclass(frozen=True)
class Target:
    """The peaks of a batch's heatmaps, kept in place while the image or the network is changed.

    Attributes:
        peaks (Tensor): (B, K, 2), integer (row, col) of the heatmap.
        cells (Tensor): (B, K, P, 2), integer (row, col) of the token grid: the tokens at each peak.
        weights (Tensor): (B, K, P), float32, the tokens' weights; they sum to 1.
        heatmap_size (tuple[int, int]): (H, W).
        grid (tuple[int, int]): Token grid (h, w).
        cell (str): How cells are found from peaks: ``'bilinear'`` (:func:`bilinear_cells`) or ``'nearest'``
            (:func:`nearest_cells`).
    """

    peaks: Tensor
    cells: Tensor
    weights: Tensor
    heatmap_size: tuple[int, int]
    grid: tuple[int, int]
    cell: str

    @classmethod
    def at(cls, peaks: Tensor, heatmap_size: tuple[int, int], grid: tuple[int, int], cell: str = 'bilinear') -> Target:
        """Make the target at given ``peaks``; arguments as the attributes.

        Raises:
            InputError: ``cell`` is unknown.
        """
        require_choice('cell', cell, CELLS)
        return cls(peaks, *CELLS[cell](peaks, heatmap_size, grid), heatmap_size, grid, cell)

    @classmethod
    def of(cls, heatmaps: Tensor, grid: tuple[int, int], cell: str = 'bilinear') -> Target:
        """Make the target at the maxima of ``heatmaps`` (B, K, H, W); other arguments as the attributes."""
        return cls.at(heatmap_peaks(heatmaps), map_size(heatmaps), grid, cell)

    def values(self, heatmaps: Tensor) -> Tensor:
        """Read heatmaps (B, K, H, W) at the peaks: (B, K), differentiable."""
        row, col = self.peaks.unbind(-1)
        return heatmaps.flatten(2).gather(2, (row * heatmaps.shape[-1] + col).unsqueeze(-1)).squeeze(-1)

    def pooled(self, per_cell: Tensor) -> Tensor:
        """Sum the maps of each peak's cells by their weights.

        Args:
            per_cell (Tensor): (L, B, K * P, h, w) or (L, B, heads, K * P, h, w).

        Returns:
            Tensor: (L, B, K, h, w) or (L, B, heads, K, h, w).
        """
        k, p = self.weights.shape[1:]
        if p == 1:
            return per_cell
        weights = self.weights if per_cell.dim() == 5 else self.weights.unsqueeze(1)
        return (per_cell.unflatten(-3, (k, p)) * weights.to(per_cell.dtype)[..., None, None]).sum(-3)

    def mirrored(self, flip_indices: Sequence[int], shift_heatmap: bool = False) -> Target:
        """Make the target of the mirrored image, in which left and right keypoints have changed places.

        Args:
            flip_indices (Sequence[int]): (K,), the number of each keypoint's counterpart on the other side.
            shift_heatmap (bool): Whether the flip test moves mirrored heatmaps by a cell before it averages them
                (MMPose's ``test_cfg.shift_heatmap``).
        """
        row, col = self.peaks[:, list(flip_indices)].unbind(-1)
        if shift_heatmap:
            col = (col - 1).clamp(min=0)
        peaks = torch.stack([row, self.heatmap_size[1] - 1 - col], dim=-1)
        return Target.at(peaks, self.heatmap_size, self.grid, self.cell)

    def __getitem__(self, samples: slice | Tensor) -> Target:
        """Take the target of some of the batch's images, given by a slice or by their numbers (n,)."""
        return replace(self, peaks=self.peaks[samples], cells=self.cells[samples], weights=self.weights[samples])


def _as_tensor(size: tuple[int, int], like: Tensor) -> Tensor:
    return torch.tensor(size, device=like.device)
