"""The finite differences of DARK and of UDP about a cell.

As matrices: a flattened neighbourhood times one gives d/dx, d/dy, d2/dx2, d2/dy2 and d2/dxdy.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor


@lru_cache(maxsize=8)
def dark_derivatives(device: torch.device) -> Tensor:
    """(25, 5), float64, for neighbourhoods (5, 5) as [y, x]: differences over two cells (MMPose's
    ``refine_keypoints_dark``)."""
    here, first, second = _lines([0, 0, 1, 0, 0], [0, -0.5, 0, 0.5, 0], [0.25, 0, -0.5, 0, 0.25])
    return _matrix(here, first, second, torch.outer(first, first), device)


@lru_cache(maxsize=8)
def udp_derivatives(device: torch.device) -> Tensor:
    """(9, 5), float64, for neighbourhoods (3, 3) as [y, x]: differences over one cell (MMPose's
    ``refine_keypoints_dark_udp``)."""
    here, first, second = _lines([0, 1, 0], [-0.5, 0, 0.5], [1, -2, 1])
    mixed = torch.stack(_lines([0.5, -0.5, 0], [-0.5, 1, -0.5], [0, -0.5, 0.5]))
    return _matrix(here, first, second, mixed, device)


def _lines(*weights: list[float]) -> list[Tensor]:
    return [torch.tensor(line, dtype=torch.float64) for line in weights]


def _matrix(here: Tensor, first: Tensor, second: Tensor, mixed: Tensor, device: torch.device) -> Tensor:
    """From the weights along one line, and those of the mixed derivative."""
    along = [torch.outer(*pair) for pair in ((here, first), (first, here), (here, second), (second, here))]
    return torch.stack([*along, mixed], dim=-1).flatten(0, 1).to(device)
