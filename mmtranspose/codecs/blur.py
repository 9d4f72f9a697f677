"""The Gaussian blur with which DARK and UDP refine peaks, computed only around the peaks.

OpenCV's ``GaussianBlur`` of a map M (H, W) with zeros beyond its border is A M B^T, where A (H, H) and B (W, W) are
banded. The neighbourhood of a peak needs a few rows of A and of B, and a patch of M.

Everything is computed in float64, which automatic mixed precision and TensorFloat-32 do not change.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import torch
from torch import Tensor

MAPS_AT_ONCE = 256  # the float64 copies of so many stay in a processor's cache


def blur_around(maps: Tensor, rows: Tensor, cols: Tensor, kernel_size: int, reach: int) -> Tensor:
    """Blur each map in the neighbourhood of one of its cells.

    Args:
        maps (Tensor): (N, H, W), contiguous.
        rows (Tensor): (N,), integer; the row of each map's cell.
        cols (Tensor): (N,), integer; its column.
        kernel_size (int): Size of the Gaussian kernel, odd; its sigma is the one that OpenCV takes for that size.
        reach (int): Cells on each side of the cell. Beyond the border, the value of the nearest cell is repeated.

    Returns:
        Tensor: (N, 2 * reach + 1, 2 * reach + 1), float64, indexed [y, x].
    """
    count, height, width = maps.shape
    high, wide = (min(kernel_size + 2 * reach, size) for size in (height, width))
    first = torch.arange(count, device=maps.device) * (height * width)
    first += _window_start(rows, height, high) * width + _window_start(cols, width, wide)
    windows = maps.as_strided((maps.numel() - (high - 1) * width - wide + 1, high, wide), (1, width, 1))
    patches = windows.index_select(0, first).double()
    down = _neighbour_weights(height, kernel_size, reach, maps.device).index_select(0, rows)
    across = _neighbour_weights(width, kernel_size, reach, maps.device).index_select(0, cols)
    return down @ patches @ across.mT


def blurred_maximum(maps: Tensor, kernel_size: int) -> Tensor:
    """The highest value of each blurred map.

    Args:
        maps (Tensor): (N, H, W).
        kernel_size (int): As in :func:`blur_around`.

    Returns:
        Tensor: (N,), float64.
    """
    down, across = (blur_matrix(size, kernel_size, maps.device) for size in maps.shape[1:])
    highest = [(down @ (some.double() @ across)).flatten(1).amax(1) for some in maps.split(MAPS_AT_ONCE)]
    return torch.cat(highest)


@lru_cache(maxsize=64)
def blur_matrix(size: int, kernel_size: int, device: torch.device) -> Tensor:
    """The symmetric matrix (size, size) that blurs a line of cells, with zeros beyond its ends."""
    kernel = torch.from_numpy(cv2.getGaussianKernel(kernel_size, 0, cv2.CV_32F)).double().squeeze(1)
    cells = torch.arange(size)
    tap = cells - cells.unsqueeze(1) + kernel_size // 2
    weights = torch.where((tap >= 0) & (tap < kernel_size), kernel[tap.clamp(0, kernel_size - 1)], 0)
    return weights.to(device)


@lru_cache(maxsize=64)
def _neighbour_weights(size: int, kernel_size: int, reach: int, device: torch.device) -> Tensor:
    """Weights (size, 2 * reach + 1, P) that blur the neighbours of each cell of a line, from a window of P cells."""
    cells = torch.arange(size, device=device)
    span = min(kernel_size + 2 * reach, size)
    window = _window_start(cells, size, span).unsqueeze(1) + torch.arange(span, device=device)
    neighbours = (cells.unsqueeze(1) + torch.arange(-reach, reach + 1, device=device)).clamp(0, size - 1)
    return blur_matrix(size, kernel_size, device)[neighbours.unsqueeze(2), window.unsqueeze(1)]


def _window_start(cells: Tensor, size: int, span: int) -> Tensor:
    """First cell of the window of ``span`` cells around each cell, shifted to lie in the line of ``size`` cells."""
    return (cells - span // 2).clamp(0, size - span)
