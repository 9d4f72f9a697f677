"""How far a heatmap's peak has moved, in pixels and as object keypoint similarity (OKS)."""

from __future__ import annotations

import torch
from torch import Tensor


def peak_drift(peaks: Tensor, reference: Tensor, heatmap_size: tuple[int, int], input_size: tuple[int, int]) -> Tensor:
    """Distance between peaks, in pixels of the crop.

    A heatmap's first and last cells lie on the crop's first and last pixels: x = col (W_in - 1) / (W - 1).

    Args:
        peaks (Tensor): (..., 2), integer (row, col) of the heatmap.
        reference (Tensor): The same, of a shape that broadcasts.
        heatmap_size (tuple[int, int]): (H, W).
        input_size (tuple[int, int]): (H_in, W_in).

    Returns:
        Tensor: (...), float32.
    """
    scale = [(pixels - 1) / max(cells - 1, 1) for pixels, cells in zip(input_size, heatmap_size)]
    return ((peaks - reference) * torch.tensor(scale, device=peaks.device)).norm(dim=-1)


def keypoint_oks(distances: Tensor, areas: Tensor, sigmas: Tensor) -> Tensor:
    """COCO's object keypoint similarity of single keypoints, exp(-d^2 / (2 s^2 k^2)) with k = 2 sigma and s^2 the area.

    Args:
        distances (Tensor): (B, K, S), d in pixels of the crop.
        areas (Tensor): (B,), of the people in pixels of the crop, squared.
        sigmas (Tensor): (K,), of the data set (``dataset_meta['sigmas']``).

    Returns:
        Tensor: (B, K, S), from 0 to 1; NaN where an area is not positive.
    """
    variance = areas.where(areas > 0, torch.nan)[:, None] * (2 * sigmas) ** 2
    return (-distances.square() / (2 * variance.unsqueeze(-1))).exp()
