"""Object keypoint similarity (OKS) of single keypoints, the discs in which it is high, and the cells in these."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from mmtranspose.codecs.precision import precise
from mmtranspose.errors import InputError
from mmtranspose.explain.token_grid import token_positions, token_size


def keypoint_oks(distances: Tensor, areas: Tensor, sigmas: Tensor) -> Tensor:
    """Compute COCO's object keypoint similarity of single keypoints.

    It is exp(-d^2 / (2 s^2 k^2)) with k = 2 sigma and s^2 the person's area.

    Args:
        distances (Tensor): (B, K, S), d in pixels of the crop.
        areas (Tensor): (B,), of the people in pixels of the crop, squared.
        sigmas (Tensor): (K,), of the dataset (``dataset_meta['sigmas']``).

    Returns:
        Tensor: (B, K, S), from 0 to 1; NaN where an area is not positive.
    """
    variance = areas.where(areas > 0, torch.nan)[:, None] * (2 * sigmas) ** 2
    return (-distances.square() / (2 * variance.unsqueeze(-1))).exp()


def oks_radii(areas: Tensor, sigmas: Tensor, level: float = 0.5) -> Tensor:
    """Compute the distance from each keypoint at which OKS falls to ``level``.

    It is s k sqrt(-2 ln level) with k = 2 sigma and s^2 the person's area.

    Args:
        areas (Tensor): (B,), of the people in pixels of the crop, squared.
        sigmas (Tensor): (K,), of the dataset (``dataset_meta['sigmas']``).
        level (float): Between 0 and 1, both excluded.

    Returns:
        Tensor: (B, K), pixels of the crop; NaN where an area is not positive.

    Raises:
        InputError: ``level`` is out of range.
    """
    if not 0 < level < 1:
        raise InputError(f'level={level} must lie between 0 and 1')
    areas, sigmas = torch.as_tensor(areas), torch.as_tensor(sigmas)
    sides = areas.where(areas > 0, torch.nan).sqrt()
    return sides.unsqueeze(-1) * (2 * math.sqrt(-2 * math.log(level)) * sigmas.to(sides))


def disc_coverage(points: Tensor, radii: Tensor, grid: tuple[int, int], token_to_crop: np.ndarray | Tensor) -> Tensor:
    """Compute the share of every token's cell that lies in each keypoint's disc, exactly (not by sampling).

    Cells are rectangles around the tokens' middles, as large as the step from token to token. The part of a disc beyond
    the grid counts nowhere.

    Args:
        points (Tensor): (B, J, 2), (x, y) of the keypoints in pixels of the crop; NaN for missing ones.
        radii (Tensor): (B, J), in pixels of the crop, as of :func:`oks_radii`.
        grid (tuple[int, int]): Token grid (h, w).
        token_to_crop (np.ndarray | Tensor): (2, 3), from a token's (col, row) to (x, y) in pixels of the crop.

    Returns:
        Tensor: (B, J, h, w), from 0 to 1, float32, on the device of ``points``; NaN for missing keypoints, and where a
        radius is not positive.

    Raises:
        InputError: ``token_to_crop`` has another shape, turns, or mirrors.
    """
    device, where = points.device, precise(points.device)
    centre, radii = points.to(where).double(), radii.to(where).double()
    radius = radii.unsqueeze(-1)
    middle, size = token_positions(grid, token_to_crop).to(centre), token_size(token_to_crop).to(centre)
    edges = (
        middle[0, 0, axis] + size[axis] * (torch.arange(cells + 1, device=centre.device) - 0.5)
        for axis, cells in enumerate(reversed(grid))
    )
    x, y = ((edge - centre[..., axis : axis + 1]) / radius for axis, edge in enumerate(edges))
    up_to_corner = _disc_part(x.unsqueeze(-2), y.unsqueeze(-1))  # (B, J, h + 1, w + 1)
    area = up_to_corner.diff(dim=-1).diff(dim=-2) * radius.unsqueeze(-1) ** 2
    share = (area / size.prod()).clamp(0, 1).float()
    return share.where((centre.isfinite().all(-1) & (radii > 0))[..., None, None], torch.nan).to(device)


def _disc_part(x: Tensor, y: Tensor) -> Tensor:
    """Area of the unit disc's part to the left of x and above y: where X <= x and Y <= y."""
    x, y = x.clamp(-1, 1), y.clamp(-1, 1)
    half_x, half_y = ((v * (1 - v * v).sqrt() + v.asin()) / 2 for v in (x, y))
    inside = x * y + half_x + half_y + math.pi / 4
    left, above = 2 * half_x + math.pi / 2, 2 * half_y + math.pi / 2  # beyond one line alone
    both = left + above - math.pi  # the corner lies beyond the circle: the two segments cut off do not meet
    neither = torch.zeros_like(inside)
    outside = torch.where(x < 0, torch.where(y < 0, neither, left), torch.where(y < 0, above, both))
    return torch.where(x * x + y * y < 1, inside, outside)
