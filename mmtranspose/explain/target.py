"""What is explained: the value of each keypoint's heatmap at its peak."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from mmtranspose.explain.cells import CELLS, heatmap_peaks
from mmtranspose.explain.choices import check_choice


@dataclass(frozen=True)
class Target:
    """The peaks of a batch's heatmaps, which stay where they are while the picture or the network is changed.

    Attributes:
        peaks (Tensor): (B, K, 2), integer (row, col) of the heatmap.
        cells (Tensor): (B, K, P, 2), integer (row, col) of the token grid: the tokens that a peak is read from.
        weights (Tensor): (B, K, P), float32, their shares; they sum to 1.
        heatmap_size (tuple[int, int]): (H, W).
        grid (tuple[int, int]): Token grid (h, w).
        cell (str): How the cells follow from the peaks: ``'bilinear'`` or ``'nearest'``.
    """

    peaks: Tensor
    cells: Tensor
    weights: Tensor
    heatmap_size: tuple[int, int]
    grid: tuple[int, int]
    cell: str

    @classmethod
    def at(cls, peaks: Tensor, heatmap_size: tuple[int, int], grid: tuple[int, int], cell: str = 'bilinear') -> Target:
        """The target at given ``peaks``; arguments as the attributes.

        Raises:
            ValueError: ``cell`` is unknown.
        """
        check_choice('cell', cell, CELLS)
        return cls(peaks, *CELLS[cell](peaks, heatmap_size, grid), heatmap_size, grid, cell)

    @classmethod
    def of(cls, heatmaps: Tensor, grid: tuple[int, int], cell: str = 'bilinear') -> Target:
        """The target at the maxima of ``heatmaps`` (B, K, H, W)."""
        return cls.at(heatmap_peaks(heatmaps), tuple(heatmaps.shape[-2:]), grid, cell)

    def values(self, heatmaps: Tensor) -> Tensor:
        """The heatmaps (B, K, H, W) at the peaks: (B, K), differentiable."""
        row, col = self.peaks.unbind(-1)
        return heatmaps.flatten(2).gather(2, (row * heatmaps.shape[-1] + col).unsqueeze(-1)).squeeze(-1)

    def pooled(self, per_cell: Tensor) -> Tensor:
        """Maps of the cells (..., K * P, h, w), weighted and summed: (..., K, h, w).

        ``per_cell`` is (L, B, K * P, h, w) or (L, B, heads, K * P, h, w).
        """
        k, p = self.weights.shape[1:]
        if p == 1:
            return per_cell
        weights = self.weights if per_cell.dim() == 5 else self.weights.unsqueeze(1)
        return torch.einsum('...kphw,...kp->...khw', per_cell.unflatten(-3, (k, p)), weights.to(per_cell.dtype))

    def mirrored(self, flip_indices: Sequence[int], shift_heatmap: bool = False) -> Target:
        """The same peaks in the mirrored picture, where each joint plays its counterpart's part.

        Args:
            flip_indices (Sequence[int]): Of each keypoint's counterpart.
            shift_heatmap (bool): The flip test moves mirrored heatmaps by a cell before it averages them (MMPose's
                ``test_cfg.shift_heatmap``).
        """
        row, col = self.peaks[:, list(flip_indices)].unbind(-1)
        if shift_heatmap:
            col = (col - 1).clamp(min=0)
        peaks = torch.stack([row, self.heatmap_size[1] - 1 - col], dim=-1)
        return Target.at(peaks, self.heatmap_size, self.grid, self.cell)

    def __getitem__(self, samples: slice) -> Target:
        """The target of some of the batch's pictures."""
        return replace(self, peaks=self.peaks[samples], cells=self.cells[samples], weights=self.weights[samples])


def mirror_maps(maps: Tensor, flip_indices: Sequence[int]) -> Tensor:
    """Maps (..., K, h, w) of a mirrored picture, over the picture itself: mirrored, counterparts swapped."""
    return maps.flip(-1)[..., list(flip_indices), :, :]
