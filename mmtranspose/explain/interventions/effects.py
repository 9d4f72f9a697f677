"""What becomes of the keypoints when something inside the network is changed, one place of the token grid at a time."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Effects:
    """Effects of an intervention at every token, on every keypoint of B crops.

    Attributes:
        drop (Tensor): (B, K, h, w), float32: how much the heatmap's value at the unperturbed peak falls; negative where
            it rises.
        displacement (Tensor): (B, K, h, w), float32: how far the heatmap's peak moves, in pixels of the crop. Peaks are
            whole cells of the heatmap, so small movements are 0.
    """

    drop: Tensor
    displacement: Tensor
