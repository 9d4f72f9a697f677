"""The share of keypoints that are near their targets, computed on the device."""

from __future__ import annotations

import torch
from torch import Tensor

from mmtranspose.codecs.peaks import find_peaks
from mmtranspose.codecs.precision import has_float64


def pose_accuracy(heatmaps: Tensor, targets: Tensor, mask: Tensor, threshold: float = 0.05) -> Tensor:
    """Compute the average that MMPose's ``pose_pck_accuracy`` returns, on the heatmaps' device.

    A keypoint is near if the highest cell of its heatmap is less than ``threshold`` from that of its target. As in
    MMPose, distances in x are divided by the heatmap's height and those in y by its width, and a map without a positive
    value has its peak at cell (-1, -1). The result is the mean, over the keypoints that count in at least one image,
    of the share of images in which they are near.

    Args:
        heatmaps (Tensor): (B, K, H, W), of any floating dtype.
        targets (Tensor): (B, K, H, W).
        mask (Tensor): Which keypoints count, (B, K), bool.
        threshold (float): Distance below which a keypoint is near, relative to the heatmap's size.

    Returns:
        Tensor: A scalar from 0 to 1, float64 (float32 on MPS); 0 if no keypoint counts.
    """
    height, width = heatmaps.shape[-2:]
    dtype = torch.float64 if has_float64(heatmaps.device) else torch.float32
    across, down = ((a - b).to(dtype) for a, b in zip(_peak_cells(heatmaps), _peak_cells(targets)))
    distance = ((across / height) ** 2 + (down / width) ** 2).sqrt().float()
    counted = mask.sum(0)
    shares = ((distance < threshold) & mask).sum(0).to(dtype) / counted.clamp(min=1)
    return shares.sum() / (counted > 0).sum().clamp(min=1)


def _peak_cells(heatmaps: Tensor) -> tuple[Tensor, Tensor]:
    """Columns and rows (B, K) of the highest cells; -1 where no value is positive."""
    rows, cols, heights = find_peaks(heatmaps.detach().float())
    return torch.where(heights <= 0, -1, cols), torch.where(heights <= 0, -1, rows)
