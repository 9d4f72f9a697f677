"""Where maps lie: on their own keypoint, on which other keypoints, and how widely they spread."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from mmtranspose.codecs.precision import precise
from mmtranspose.explain.token_grid import token_positions, token_size


def distribution(maps: Tensor) -> Tensor:
    """Scale the positive part of each map (..., h, w) to sum 1; float32. NaN where a map has no positive value."""
    positive = maps.float().clamp(min=0)
    return positive / positive.sum((-1, -2), keepdim=True)


def pointing_game(
    maps: Tensor, points: Tensor, radii: Tensor, token_to_crop: np.ndarray | Tensor, tolerance: float = 0.5
) -> Tensor:
    """Tell whether each map is highest within its own keypoint's disc.

    Zhang et al., "Top-down Neural Attention by Excitation Backprop", ECCV 2016, arXiv 1608.00507; there the maximum
    has to lie in the object's box, with a margin of 15 pixels.

    Args:
        maps (Tensor): (..., B, K, h, w), over the token grid.
        points (Tensor): (B, K, 2), (x, y) of the keypoints in pixels of the crop; NaN for missing ones.
        radii (Tensor): (B, K), in pixels of the crop.
        token_to_crop (np.ndarray | Tensor): (2, 3), from a token's (col, row) to (x, y) in pixels of the crop.
        tolerance (float): Added to the radius, in cells (the mean of a cell's two sides): a map is no finer than its
            cells, whose middles seldom lie on the keypoint.

    Returns:
        Tensor: (..., B, K), float32: 1 for a hit, 0 for a miss, NaN for a missing keypoint. Where several cells are
        equally high, the share of them that hits, which is what a random choice among them gets on average.

    Raises:
        InputError: ``token_to_crop`` has another shape, turns, or mirrors.
    """
    device = maps.device
    maps, points, radii = maps.to(precise(device)), _exactly(points, device), _exactly(radii, device)
    middle = token_positions(maps.shape[-2:], token_to_crop).to(points)
    distance = (middle - points[:, :, None, None]).norm(dim=-1)  # (B, K, h, w)
    limit = radii + tolerance * float(token_size(token_to_crop).mean())
    highest = (maps == maps.amax((-1, -2), keepdim=True)).float()
    hits = (highest * (distance <= limit[..., None, None])).sum((-1, -2)) / highest.sum((-1, -2))
    return hits.where(points.isfinite().all(-1) & radii.isfinite(), torch.nan).to(device)


def energy_pointing_game(maps: Tensor, coverage: Tensor) -> Tensor:
    """Compute the share of each map that lies in its own keypoint's disc.

    The energy-based pointing game of Score-CAM (Wang et al., CVPR Workshops 2020, arXiv 1910.01279), which takes the
    object's box instead of the disc. Negative values of maps count as 0.

    Args:
        maps (Tensor): (..., B, K, h, w), over the token grid.
        coverage (Tensor): (B, K, h, w), of :func:`disc_coverage`.

    Returns:
        Tensor: (..., B, K), from 0 to 1; NaN for missing keypoints, and for maps without a positive value.
    """
    share = distribution(maps)
    return (share * coverage.to(share)).sum((-1, -2))


def disc_shares(maps: Tensor, coverage: Tensor) -> Tensor:
    """Compute the share of each keypoint's map in each keypoint's disc, that is, which body parts it depends on.

    Discs may overlap and do not cover everything, so shares do not sum to 1. Negative values of maps count as 0.

    Args:
        maps (Tensor): (..., B, K, h, w), over the token grid.
        coverage (Tensor): (B, J, h, w), of :func:`disc_coverage`.

    Returns:
        Tensor: (..., B, K, J), from 0 to 1; NaN for missing keypoints, and for maps without a positive value.
    """
    share = distribution(maps)
    return share.flatten(-2) @ coverage.to(share).flatten(-2).transpose(-1, -2)


def radial_average(maps: Tensor, centres: Tensor, token_to_crop: np.ndarray | Tensor) -> Tensor:
    """Spread each map evenly over the cells that are equally far from a centre: what it says of distance alone.

    A control for maps that are read at a place and fall with the distance from it. What a map has at a cell beyond its
    radial average, it has there for another reason than nearness. Rings are a cell wide (the mean of its two sides).

    Args:
        maps (Tensor): (..., B, K, h, w), over the token grid.
        centres (Tensor): (B, K, 2), (x, y) in pixels of the crop.
        token_to_crop (np.ndarray | Tensor): (2, 3), from a token's (col, row) to (x, y) in pixels of the crop.

    Returns:
        Tensor: (..., B, K, h, w), with the same sums.

    Raises:
        InputError: ``token_to_crop`` has another shape, turns, or mirrors.
    """
    centres = _exactly(centres, maps.device)
    middle = token_positions(maps.shape[-2:], token_to_crop).to(centres)
    distance = (middle - centres[:, :, None, None]).norm(dim=-1)  # (B, K, h, w)
    ring = (distance / float(token_size(token_to_crop).mean())).round().long().flatten(-2)
    _, ring = ring.unique(return_inverse=True)  # centres may lie far outside the crop
    values = maps.flatten(-2)
    ring = ring.expand(values.shape)
    empty = values.new_zeros((*values.shape[:-1], int(ring.max()) + 1))
    means = empty.scatter_add(-1, ring, values) / empty.scatter_add(-1, ring, torch.ones_like(values)).clamp(min=1)
    return means.gather(-1, ring).view(maps.shape)


def entropy(maps: Tensor, normalised: bool = False) -> Tensor:
    """Compute the Shannon entropy of maps as distributions over the cells, -sum p ln p.

    Args:
        maps (Tensor): (..., h, w); negative values count as 0.
        normalised (bool): Divide by ln(h w), the entropy of an even map; the range is then 0 (one cell) to 1 (even).

    Returns:
        Tensor: (...), in nats unless normalised; NaN for maps without a positive value. For a grid of one cell the
        entropy is 0, and NaN if normalised.
    """
    share = distribution(maps).flatten(-2)
    nats = torch.special.xlogy(share, share).sum(-1).abs()
    return nats / (math.log(share.shape[-1]) or torch.nan) if normalised else nats


def reach(maps: Tensor, points: Tensor, token_to_crop: np.ndarray | Tensor, lengths: Tensor) -> Tensor:
    """Compute the mean distance of a map's weight from the keypoint, sum p |x - keypoint| / length.

    Args:
        maps (Tensor): (..., B, K, h, w); negative values count as 0. A cell's weight sits at its middle.
        points (Tensor): (B, K, 2), (x, y) of the keypoints in pixels of the crop; NaN for missing ones.
        token_to_crop (np.ndarray | Tensor): (2, 3), from a token's (col, row) to (x, y) in pixels of the crop.
        lengths (Tensor): (B,), the unit of length of each person in pixels of the crop, such as the torso: from the
            middle of the shoulders to the middle of the hips.

    Returns:
        Tensor: (..., B, K); NaN for missing keypoints, lengths that are not positive, and maps without a positive
        value.

    Raises:
        InputError: ``token_to_crop`` has another shape, turns, or mirrors.
    """
    share = distribution(maps)
    points = _exactly(points, share.device)
    middle = token_positions(maps.shape[-2:], token_to_crop).to(points)
    distance = (middle - points[:, :, None, None]).norm(dim=-1).to(share)
    return (share * distance).sum((-1, -2)) / lengths.where(lengths > 0, torch.nan).to(share).unsqueeze(-1)


def _exactly(values: Tensor, device: torch.device) -> Tensor:
    """Values in float64, on a device or, if it has no such numbers, on the CPU."""
    where = precise(device)
    return values.to(where).to(torch.float64)


def sparseness(maps: Tensor) -> Tensor:
    """Compute the Gini index of each map (..., h, w), as Chalasani et al. do (ICML 2020, arXiv 1810.06583).

    Of absolute values: 0 where all cells are equal, 1 - 1/N where one of N has everything.

    Returns:
        Tensor: (...), float32; NaN where a map is 0 everywhere.
    """
    values = maps.flatten(-2).abs().double().sort(-1).values
    number = values.shape[-1]
    weights = 2 * torch.arange(1, number + 1, device=maps.device) - number - 1
    total = values.sum(-1)
    return ((weights * values).sum(-1) / (number * total.where(total > 0, torch.nan))).float()
