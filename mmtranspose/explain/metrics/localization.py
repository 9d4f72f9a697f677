"""Do maps point at the joint that they explain, and which joints else do they rest on?

A map can be faithful without pointing at its joint: the network may know where an occluded joint is from others.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from mmtranspose.explain.metrics.distribution import distribution
from mmtranspose.explain.metrics.token_geometry import token_positions, token_size


def pointing_game(
    maps: Tensor, points: Tensor, radii: Tensor, token_to_crop: np.ndarray | Tensor, tolerance: float = 0.5
) -> Tensor:
    """Whether each map is highest within its own keypoint's disc.

    Zhang et al., "Top-down Neural Attention by Excitation Backprop", ECCV 2016, arXiv 1608.00507, where the map must
    point into the object's box, give or take 15 pixels.

    Args:
        maps (Tensor): (..., B, K, h, w), over the token grid.
        points (Tensor): (B, K, 2), (x, y) of the keypoints in pixels of the crop; NaN for missing ones.
        radii (Tensor): (B, K), in pixels of the crop.
        token_to_crop (np.ndarray | Tensor): (2, 3), from a token's (col, row) to (x, y) in pixels of the crop.
        tolerance (float): Added to the radius, in cells (the mean of a cell's two sides): a map is no finer than its
            cells, whose middles seldom lie on the keypoint.

    Returns:
        Tensor: (..., B, K), float32: 1 for a hit, 0 for a miss, NaN for a missing keypoint. Of several cells that are
        equally high, the share that hits: what a random choice among them gets on average.

    Raises:
        ValueError: ``token_to_crop`` has another shape, turns, or mirrors.
    """
    points, radii = points.to(maps.device, torch.float64), radii.to(maps.device, torch.float64)
    middle = token_positions(tuple(maps.shape[-2:]), token_to_crop).to(points)
    distance = (middle - points[:, :, None, None]).norm(dim=-1)  # (B, K, h, w)
    reach = radii + tolerance * float(token_size(token_to_crop).mean())
    highest = (maps == maps.amax((-1, -2), keepdim=True)).float()
    hits = (highest * (distance <= reach[..., None, None])).sum((-1, -2)) / highest.sum((-1, -2))
    return hits.where(points.isfinite().all(-1) & radii.isfinite(), torch.nan)


def energy_pointing_game(maps: Tensor, coverage: Tensor) -> Tensor:
    """The share of each map that lies in its own keypoint's disc.

    The energy-based pointing game of Score-CAM (Wang et al., CVPR Workshops 2020, arXiv 1910.01279), where it is the
    object's box. Negative values of maps count as 0.

    Args:
        maps (Tensor): (..., B, K, h, w), over the token grid.
        coverage (Tensor): (B, K, h, w), of :func:`disc_coverage`.

    Returns:
        Tensor: (..., B, K), from 0 to 1; NaN for missing keypoints, and for maps without a positive value.
    """
    share = distribution(maps)
    return (share * coverage.to(share)).sum((-1, -2))


def disc_shares(maps: Tensor, coverage: Tensor) -> Tensor:
    """The share of each keypoint's map in each joint's disc: how much it rests on which part of the body.

    Discs may overlap, and leave places out: shares do not sum to 1. Negative values of maps count as 0.

    Args:
        maps (Tensor): (..., B, K, h, w), over the token grid.
        coverage (Tensor): (B, J, h, w), of :func:`disc_coverage`.

    Returns:
        Tensor: (..., B, K, J), from 0 to 1; NaN for missing joints, and for maps without a positive value.
    """
    share = distribution(maps)
    return share.flatten(-2) @ coverage.to(share).flatten(-2).transpose(-1, -2)
