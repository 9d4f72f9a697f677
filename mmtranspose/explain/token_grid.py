"""The grid of tokens, and where it lies in the crop."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from mmtranspose.errors import InputError


def map_size(maps: Tensor) -> tuple[int, int]:
    """Height and width (h, w) of maps (..., h, w)."""
    h, w = maps.shape[-2:]
    return h, w


def token_to_crop(grid: tuple[int, int], heatmap_size: tuple[int, int], cell_size: Sequence[float]) -> np.ndarray:
    """Compute the affine from a token's (col, row) to the (x, y) of its middle in pixels of the crop.

    The middle of token t is at heatmap cell (t + 0.5) G / g - 0.5, and heatmap cell v at pixel v times the codec's
    ``scale_factor``, which is (W - 1) / (G - 1) in the unbiased mapping. So maps and decoded keypoints share one frame.

    Args:
        grid (tuple[int, int]): Token grid (h, w).
        heatmap_size (tuple[int, int]): (H, W).
        cell_size (Sequence[float]): (x, y), pixels of the crop from one heatmap cell to the next.

    Returns:
        np.ndarray: (2, 3).
    """
    ratio = np.array(heatmap_size[::-1]) / np.array(grid[::-1])
    scale = ratio * np.asarray(cell_size, float)
    offset = (ratio / 2 - 0.5) * np.asarray(cell_size, float)
    return np.column_stack([np.diag(scale), offset])


def token_positions(grid: Sequence[int], token_to_crop: np.ndarray | Tensor) -> Tensor:
    """Compute where the middles of the tokens lie in the crop.

    Args:
        grid (Sequence[int]): Token grid (h, w).
        token_to_crop (np.ndarray | Tensor): (2, 3), as of :func:`token_to_crop`.

    Returns:
        Tensor: (h, w, 2), (x, y) in pixels of the crop, float64, on the CPU.

    Raises:
        InputError: ``token_to_crop`` has another shape, turns, or mirrors.
    """
    affine = _checked(token_to_crop)
    row, col = torch.meshgrid(*(torch.arange(n, dtype=torch.float64) for n in grid), indexing='ij')
    return torch.stack([col, row], dim=-1) @ affine[:, :2].T + affine[:, 2]


def token_size(token_to_crop: np.ndarray | Tensor) -> Tensor:
    """Width and height (2,) of a token's cell in pixels of the crop; argument and errors as :func:`token_positions`."""
    return _checked(token_to_crop).diagonal()


def _checked(token_to_crop: np.ndarray | Tensor) -> Tensor:
    affine = torch.as_tensor(token_to_crop, dtype=torch.float64, device='cpu')
    if affine.shape != (2, 3):
        raise InputError(f'token_to_crop must be a (2, 3) affine, not {tuple(affine.shape)}')
    if affine[0, 1] or affine[1, 0] or not (affine.diagonal() > 0).all():
        raise InputError(f'token_to_crop={affine.tolist()} must scale and shift only: cells are upright rectangles')
    return affine
