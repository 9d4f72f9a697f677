"""How many keypoints of a batch are near their targets, without leaving the device."""

from __future__ import annotations

import torch
from torch import Tensor

from mmtranspose.codecs.peaks import find_peaks


def pose_accuracy(heatmaps: Tensor, targets: Tensor, mask: Tensor, threshold: float = 0.05) -> Tensor:
    """The average that MMPose's ``pose_pck_accuracy`` returns, as operations on the heatmaps' device.

    A keypoint is near if its highest cell is less than ``threshold`` from that of the target, where distances in x are
    divided by the heatmap's height and those in y by its width (so MMPose does it). A map without a positive value has
    its peak at cell (-1, -1). The share of near ones is taken for each keypoint, then the mean of those of which any
    counts.

    Args:
        heatmaps (Tensor): (B, K, H, W), of any floating dtype.
        targets (Tensor): (B, K, H, W).
        mask (Tensor): (B, K), bool, of the keypoints that count.
        threshold (float): Of the divided distance.

    Returns:
        Tensor: (), float64 (where the device has it), from 0 to 1; 0 if no keypoint counts.
    """
    height, width = heatmaps.shape[-2:]
    dtype = torch.float32 if heatmaps.device.type == 'mps' else torch.float64  # MPS has no float64
    across, down = ((a - b).to(dtype) for a, b in zip(_peak_cells(heatmaps), _peak_cells(targets)))
    distance = ((across / height) ** 2 + (down / width) ** 2).sqrt().float()
    counted = mask.sum(0)
    shares = ((distance < threshold) & mask).sum(0).to(dtype) / counted.clamp(min=1)
    return shares.sum() / (counted > 0).sum().clamp(min=1)


def _peak_cells(heatmaps: Tensor) -> tuple[Tensor, Tensor]:
    """Columns and rows (B, K) of the highest cells, -1 where no value is positive."""
    rows, cols, heights = find_peaks(heatmaps.detach().float())
    return torch.where(heights <= 0, -1, cols), torch.where(heights <= 0, -1, rows)
