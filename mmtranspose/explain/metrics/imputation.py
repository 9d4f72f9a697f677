"""Noisy linear imputation: removed pixels are computed from those that were kept.

ROAD (Rong et al., ICML 2022, arXiv 2202.00449): every removed pixel is the weighted mean of its eight neighbours, 1/6
for each of the four beside it and 1/12 for each of the four at its corners, renormalised at the image's border; plus
a little noise. The network can then no longer read from the mask's outline what was removed, as it can where a flat
colour is put in.

The equations of the removed pixels are a graph's Laplacian with the kept pixels as boundary values: symmetric and
positive definite. They are solved for many images at once, on the images' device, by conjugate gradients
preconditioned with a multigrid V-cycle. Each iteration passes over the images some ten times, and fewer than ten
iterations suffice, however large the holes are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from mmtranspose.errors import InputError

MAX_ITERATIONS = 200
CHUNK_ELEMENTS = 2**20  # of the images that are solved together on a CPU: they stay in its cache
COARSEST = 4  # pixels across
COARSEST_SWEEPS = 8


class _Level(NamedTuple):
    """One resolution of the equations."""

    unknown: Tensor  # (N, 1, H, W): 1 where the value is unknown, 0 where it is known or beyond the image
    diagonal: Tensor  # (1, 1, H, W): summed weights of the neighbours that lie in the image


def linear_imputation(images: Tensor, removed: Tensor, tolerance: float = 2e-4) -> Tensor:
    """Replace removed pixels by the weighted means of their neighbours.

    Args:
        images (Tensor): (N, C, H, W), N > 0; solved in float32.
        removed (Tensor): (N, H, W), bool. Where a whole image is removed, nothing is left to impute from, and every
            pixel becomes the image's mean, by channel.
        tolerance (float): The solver ends when no pixel changes by more than this in an iteration; in the images'
            units.

    Returns:
        Tensor: (N, C, H, W); kept pixels are unchanged.

    Raises:
        InputError: ``removed`` is not of the images' shape.
    """
    if removed.shape != images.shape[:1] + images.shape[2:]:
        raise InputError(f'removed must be (N, H, W) of images {tuple(images.shape)}, not {tuple(removed.shape)}')
    chunk = len(images) if images.is_cuda else max(1, CHUNK_ELEMENTS // max(1, images[0].numel()))
    parts = zip(images.float().split(chunk), removed.split(chunk))
    solved = torch.cat([_solved(part, mask.unsqueeze(1), tolerance) for part, mask in parts])
    return solved.to(images.dtype)


def imputation_noise(shape: Sequence[int], noise: float, seed: int, like: Tensor) -> Tensor:
    """Draw Gaussian noise for removed pixels: the same for a seed on every device.

    Args:
        shape (Sequence[int]): Of the noise.
        noise (float): Standard deviation.
        seed (int): Of the noise.
        like (Tensor): Has the dtype and device of the noise.
    """
    generator = torch.Generator().manual_seed(seed)
    return noise * torch.randn(shape, generator=generator).to(like)


def _solved(images: Tensor, removed: Tensor, tolerance: float) -> Tensor:
    mean = images.mean((-1, -2), keepdim=True)
    everything = removed.flatten(1).all(1).view(-1, 1, 1, 1)
    size = images.shape[-2:]
    levels = _levels(removed & ~everything)
    unknown = levels[0].unknown
    start = _padded(torch.where(removed, mean, images), unknown.shape[-2:])
    residual = _neighbours(start).sub_(levels[0].diagonal * start).mul_(unknown)
    solution = start + _conjugate_gradients(levels, residual, tolerance)
    return torch.where(removed, solution[..., : size[0], : size[1]], images)


def _conjugate_gradients(levels: list[_Level], residual: Tensor, tolerance: float) -> Tensor:
    """The correction x with A x = ``residual`` (N, C, H, W), each image and channel with steps of its own."""
    tiny = torch.finfo(residual.dtype).tiny
    x = torch.zeros_like(residual)
    z = _v_cycle(levels, residual)
    direction, rz = z, _dot(residual, z)
    for _ in range(MAX_ITERATIONS):
        product = _apply(levels[0], direction)
        step = rz / _dot(direction, product).clamp(min=tiny)
        x.addcmul_(direction, step)
        if (direction.abs().amax((-1, -2), keepdim=True) * step).max() <= tolerance:
            break
        residual = residual.addcmul(product, step, value=-1)
        z = _v_cycle(levels, residual)
        previous, rz = rz, _dot(residual, z)
        direction = z.addcmul(direction, rz / previous.clamp(min=tiny))
    return x


def _v_cycle(levels: list[_Level], residual: Tensor) -> Tensor:
    """Invert the equations approximately and symmetrically: smooth, correct from half the resolution, smooth."""
    level = levels[0]
    x = residual / level.diagonal
    if len(levels) == 1:
        for _ in range(COARSEST_SWEEPS):
            x = x + (residual - _apply(level, x)).div_(level.diagonal)
        return x
    coarse = _halved((residual - _apply(level, x)), -1)
    coarse = _v_cycle(levels[1:], _halved(coarse, -2).mul_(levels[1].unknown))
    x = x + F.interpolate(coarse, scale_factor=2, mode='bilinear').mul_(level.unknown)
    return x + (residual - _apply(level, x)).div_(level.diagonal)


def _levels(removed: Tensor) -> list[_Level]:
    """The equations of ``removed`` (N, 1, H, W) at full, half, quarter, ... resolution.

    A coarse pixel is an unknown only where all its pixels are. Images are padded to a size that can be halved evenly,
    with pixels that have no part in the equations.
    """
    height, width = removed.shape[-2:]
    halvings = 0
    while min(height, width) >= COARSEST << (halvings + 1):
        halvings += 1
    size = [-(-n // 2**halvings) * 2**halvings for n in (height, width)]
    kept, inside = _padded((~removed).float(), size), _padded(torch.ones_like(removed[:1], dtype=torch.float), size)
    levels = []
    for _ in range(halvings + 1):
        levels.append(_Level(inside * (1 - kept), _neighbours(inside).clamp_(min=1 / 12)))
        kept, inside = F.max_pool2d(kept, 2), F.max_pool2d(inside, 2)
    return levels


def _apply(level: _Level, x: Tensor) -> Tensor:
    """The equations' left-hand side of ``x``, which is 0 where there is no unknown."""
    return (level.diagonal * x).sub_(_neighbours(x)).mul_(level.unknown)


def _neighbours(x: Tensor) -> Tensor:
    """Each pixel's neighbours, weighted and summed: the kernel (1 2 1) x (1 2 1) / 12 without its middle, 4 / 12."""
    total = F.pad(x, (1, 1, 1, 1))
    for _ in range(2):
        total = total[..., 1:] + total[..., :-1]
        total = total[..., 1:, :] + total[..., :-1, :]
    return total.div_(12).sub_(x, alpha=1 / 3)


def _halved(x: Tensor, dim: int) -> Tensor:
    """The transpose of bilinear interpolation to twice the length along ``dim``."""
    even, odd = x.unflatten(dim, (-1, 2)).unbind(dim)
    half, last = (even + odd).mul_(0.75), even.shape[dim] - 1
    for source, shift in ((odd, 1), (even, -1)):
        neighbour = (torch.arange(last + 1, device=x.device) + shift).clamp_(0, last)
        half.index_add_(dim, neighbour, source, alpha=0.25)
    return half


def _padded(x: Tensor, size: Sequence[int]) -> Tensor:
    return F.pad(x, (0, size[1] - x.shape[-1], 0, size[0] - x.shape[-2]))


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum((-1, -2), keepdim=True)
