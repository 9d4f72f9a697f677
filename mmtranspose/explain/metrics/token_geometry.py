"""Where the tokens' cells lie in the crop."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def token_positions(grid: tuple[int, int], token_to_crop: np.ndarray | Tensor) -> Tensor:
    """Middles of the tokens' cells.

    Args:
        grid (tuple[int, int]): Token grid (h, w).
        token_to_crop (np.ndarray | Tensor): (2, 3), from a token's (col, row) to (x, y) in pixels of the crop, as
            :attr:`PoseExplanation.token_to_crop`.

    Returns:
        Tensor: (h, w, 2), (x, y) in pixels of the crop, float64, on the CPU.

    Raises:
        ValueError: ``token_to_crop`` has another shape, turns, or mirrors.
    """
    affine = _checked(token_to_crop)
    row, col = torch.meshgrid(*(torch.arange(n, dtype=torch.float64) for n in grid), indexing='ij')
    return torch.stack([col, row], dim=-1) @ affine[:, :2].T + affine[:, 2]


def token_size(token_to_crop: np.ndarray | Tensor) -> Tensor:
    """Sides (2,), (width, height), of a token's cell in pixels of the crop; arguments as :func:`token_positions`."""
    return _checked(token_to_crop).diagonal()


def _checked(token_to_crop: np.ndarray | Tensor) -> Tensor:
    affine = torch.as_tensor(token_to_crop, dtype=torch.float64, device='cpu')
    if affine.shape != (2, 3):
        raise ValueError(f'token_to_crop must be a (2, 3) affine, not {tuple(affine.shape)}')
    if affine[0, 1] or affine[1, 0] or not (affine.diagonal() > 0).all():
        raise ValueError(f'token_to_crop={affine.tolist()} must scale and shift only: cells are upright rectangles')
    return affine
