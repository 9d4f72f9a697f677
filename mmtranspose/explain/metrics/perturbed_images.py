"""Images with cells taken away in the order of a map, and what the network predicts on them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from mmtranspose.explain.target import Target, heatmap_peaks


def cell_ranks(maps: Tensor, seed: int = 0) -> Tensor:
    """Each cell's place in the order of relevance, 0 for the most relevant.

    Cells of equal relevance follow in a random order drawn from the seed: one order for each keypoint, the same for
    all images and on every device, so that a person's ranks do not depend on who else is in the batch.

    Args:
        maps (Tensor): (B, K, h, w); the higher, the more relevant.
        seed (int): Of the order of ties.

    Returns:
        Tensor: (B, K, h, w), int64: a permutation of 0 ... h w - 1 for each map.
    """
    flat = maps.flatten(2)
    generator = torch.Generator().manual_seed(seed)
    shuffle = torch.rand(flat.shape[1:], generator=generator).argsort(-1).to(flat.device).expand(flat.shape)
    order = flat.gather(-1, shuffle).argsort(dim=-1, descending=True, stable=True)
    places = torch.arange(flat.shape[-1], device=flat.device).expand(flat.shape)
    return torch.empty_like(shuffle).scatter_(-1, shuffle.gather(-1, order), places).view(maps.shape)


def reversed_ranks(ranks: Tensor) -> Tensor:
    """The ranks (..., h, w) of the opposite order, 0 for the least relevant."""
    return ranks[0, 0].numel() - 1 - ranks


def cell_counts(fractions: Tensor, grid: tuple[int, int]) -> Tensor:
    """How many cells of the token grid (h, w) the fractions (S,) are, rounded: (S,), int64."""
    return (fractions * (grid[0] * grid[1])).round().long()


def first_cells(ranks: Tensor, counts: Tensor) -> Tensor:
    """The cells that come first: for ``ranks`` (..., h, w) and ``counts`` of shape (...), bool (..., h, w).

    For the masks (B, K, S, h, w) of S counts, pass ``ranks.unsqueeze(2)`` and ``counts`` (S,).
    """
    return ranks < counts[..., None, None]


def pixel_masks(cells: Tensor, size: tuple[int, int]) -> Tensor:
    """Masks over the token grid (..., h, w), over the pixels of an input of ``size`` (H, W): (..., H, W).

    A pixel belongs to the cell in which its middle lies; cells need not hold equally many.
    """
    h, w = cells.shape[-2:]
    row, col = (
        (2 * torch.arange(pixels, device=cells.device) + 1) * tokens // (2 * pixels)
        for pixels, tokens in zip(size, (h, w))
    )
    return cells[..., row.unsqueeze(-1), col]


class Reading(NamedTuple):
    """``values`` (...) of heatmaps at the target's peaks, and their own ``peaks`` (..., 2), integer (row, col)."""

    values: Tensor
    peaks: Tensor


def read_images(model: nn.Module, pictures: Tensor, target: Target, batch_size: int) -> Reading:
    """Every keypoint of one image (B, 3, H, W) a person: values (B, K), peaks (B, K, 2) as (row, col)."""
    readings = []
    for start in range(0, len(pictures), batch_size):
        samples = slice(start, start + batch_size)
        heatmaps = _heatmaps(model, pictures[samples])
        readings.append(Reading(target[samples].values(heatmaps), heatmap_peaks(heatmaps)))
    return Reading(*map(torch.cat, zip(*readings)))


def read_cases(
    model: nn.Module,
    target: Target,
    num_variants: int,
    pictures: Callable[[Tensor, Tensor, Tensor], Tensor],
    batch_size: int,
) -> Reading:
    """One keypoint an image, each keypoint with images of its own.

    Args:
        model (nn.Module): The pose estimator.
        target (Target): Of B people and K keypoints.
        num_variants (int): S, of images for each person and keypoint.
        images (Callable): From the numbers (n,) of people, of keypoints and of variants to images (n, 3, H, W); it
            is called for one batch at a time, so that they are never all there at once.
        batch_size (int): Images in a forward pass.

    Returns:
        Reading: values (B, K, S), peaks (B, K, S, 2), integer (row, col).
    """
    shape = (*target.peaks.shape[:2], num_variants)
    device = target.peaks.device
    if 0 in shape:
        return Reading(torch.zeros(shape, device=device), torch.zeros(*shape, 2, dtype=torch.long, device=device))
    readings = []
    for cases in torch.cartesian_prod(*(torch.arange(n, device=device) for n in shape)).split(batch_size):
        person, keypoint, variant = cases.unbind(-1)
        heatmaps = _heatmaps(model, pictures(person, keypoint, variant))
        own = (torch.arange(len(cases), device=device), keypoint)
        readings.append(Reading(target[person].values(heatmaps)[own], heatmap_peaks(heatmaps)[own]))
    values, peaks = map(torch.cat, zip(*readings))
    return Reading(values.view(shape), peaks.view(*shape, 2))


def normalised(values: Tensor, unperturbed: Tensor) -> Tensor:
    """Values (B, K, S) divided by the ``unperturbed`` (B, K); NaN where that is not positive and finite."""
    defined = (unperturbed > 0) & unperturbed.isfinite()
    return values / unperturbed.where(defined, torch.nan).unsqueeze(-1)


def check_arguments(inputs: Tensor, target: Target, maps: Tensor, batch_size: int) -> None:
    """Raise ValueError where ``maps`` are not the target's, or hold what cannot be ranked."""
    expected = (*target.peaks.shape[:2], *target.grid)
    if tuple(maps.shape) != expected:
        raise ValueError(f'maps must be (B, K, h, w) = {expected} as the target is, not {tuple(maps.shape)}')
    if len(inputs) != expected[0]:
        raise ValueError(f'inputs holds {len(inputs)} images, but the target has {expected[0]}')
    if not len(inputs):
        raise ValueError('inputs holds no image: there is nobody to measure')
    if not maps.isfinite().all():
        raise ValueError('maps hold NaN or infinity, which have no place in an order of relevance')
    if batch_size < 1:
        raise ValueError(f'batch_size={batch_size} must be at least 1')


def _heatmaps(model: nn.Module, pictures: Tensor) -> Tensor:
    return model.head.forward(model.extract_feat(pictures)).float()
