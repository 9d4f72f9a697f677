"""How widely maps spread: their entropy, and how far from the keypoint they reach."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from mmtranspose.explain.metrics.distribution import distribution
from mmtranspose.explain.metrics.token_geometry import token_positions


def entropy(maps: Tensor, normalised: bool = False) -> Tensor:
    """Shannon entropy of maps taken as distributions over the cells, -sum p ln p.

    Args:
        maps (Tensor): (..., h, w); negative values count as 0.
        normalised (bool): Divide by ln(h w), the entropy of an even map: from 0 (one cell) to 1 (even).

    Returns:
        Tensor: (...), in nats unless normalised; NaN for maps without a positive value. A grid of one cell has entropy
        0, normalised NaN.
    """
    share = distribution(maps).flatten(-2)
    nats = torch.special.xlogy(share, share).sum(-1).abs()
    return nats / (math.log(share.shape[-1]) or torch.nan) if normalised else nats


def reach(maps: Tensor, points: Tensor, token_to_crop: np.ndarray | Tensor, lengths: Tensor) -> Tensor:
    """Mean distance between a map's weight and the keypoint, sum p |x - keypoint| / length.

    Args:
        maps (Tensor): (..., B, K, h, w); negative values count as 0. A cell's weight sits at its middle.
        points (Tensor): (B, K, 2), (x, y) of the keypoints in pixels of the crop; NaN for missing ones.
        token_to_crop (np.ndarray | Tensor): (2, 3), from a token's (col, row) to (x, y) in pixels of the crop.
        lengths (Tensor): (B,), the unit of each person in pixels of the crop, such as the torso: the mean distance
            from shoulder to hip.

    Returns:
        Tensor: (..., B, K); NaN for missing keypoints, lengths that are not positive, and maps without a positive
        value.

    Raises:
        ValueError: ``token_to_crop`` has another shape, turns, or mirrors.
    """
    share = distribution(maps)
    middle = token_positions(tuple(maps.shape[-2:]), token_to_crop).to(share.device)
    distance = (middle - points.to(share.device, torch.float64)[:, :, None, None]).norm(dim=-1).to(share)
    return (share * distance).sum((-1, -2)) / lengths.where(lengths > 0, torch.nan).to(share).unsqueeze(-1)
