"""Images with cells perturbed in the order of a map, and what the network predicts for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from mmtranspose.errors import InputError, require_at_least
from mmtranspose.explain.target import Target, heatmap_peaks
from mmtranspose.typing import PoseEstimator


def cell_ranks(maps: Tensor, seed: int = 0) -> Tensor:
    """Rank the cells of each map by relevance, 0 for the most relevant.

    Cells of equal relevance are put in a random order drawn from the seed: one order for each keypoint, the same for
    all images and on every device, so a person's ranks do not depend on the other people of the batch.

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
    """Rank the cells (..., h, w) in the opposite order, 0 for the least relevant."""
    return ranks[0, 0].numel() - 1 - ranks


def cell_counts(fractions: Tensor, grid: tuple[int, int]) -> Tensor:
    """Turn fractions (S,) of the token grid (h, w) into numbers of cells (S,), rounded, int64."""
    return (fractions * (grid[0] * grid[1])).round().long()


def first_cells(ranks: Tensor, counts: Tensor) -> Tensor:
    """Select the cells that come first: from ``ranks`` (..., h, w) and ``counts`` of shape (...), bool (..., h, w).

    For the masks (B, K, S, h, w) of S counts, pass ``ranks.unsqueeze(2)`` and ``counts`` (S,).
    """
    return ranks < counts[..., None, None]


def pixel_masks(cells: Tensor, size: Sequence[int]) -> Tensor:
    """Enlarge masks over the token grid (..., h, w) to the pixels of an input of ``size`` (H, W): (..., H, W).

    A pixel belongs to the cell in which its middle lies; cells need not have the same number of pixels.
    """
    row, col = (
        (2 * torch.arange(pixels, device=cells.device) + 1) * tokens // (2 * pixels)
        for pixels, tokens in zip(size, cells.shape[-2:])
    )
    return cells[..., row.unsqueeze(-1), col]


class Reading(NamedTuple):
    """What is read from heatmaps: their ``values`` (...) at the target's peaks, and their own ``peaks`` (..., 2).

    Peaks are integer (row, col).
    """

    values: Tensor
    peaks: Tensor


def read_images(model: PoseEstimator, images: Tensor, target: Target, batch_size: int) -> Reading:
    """Read every keypoint from one image (B, 3, H, W) for each person: values (B, K), peaks (B, K, 2)."""
    readings = []
    for start in range(0, len(images), batch_size):
        samples = slice(start, start + batch_size)
        heatmaps = _heatmaps(model, images[samples])
        readings.append(Reading(target[samples].values(heatmaps), heatmap_peaks(heatmaps)))
    return Reading(*map(torch.cat, zip(*readings)))


def read_variants(
    model: PoseEstimator,
    target: Target,
    num_variants: int,
    images_of: Callable[[Tensor, Tensor, Tensor], Tensor],
    batch_size: int,
) -> Reading:
    """Read each keypoint from images of its own, of which there are several variants.

    Args:
        model (PoseEstimator): In evaluation mode.
        target (Target): Of B people and K keypoints.
        num_variants (int): S, images for each person and keypoint.
        images_of (Callable): From the numbers (n,) of people, of keypoints and of variants to images (n, 3, H, W). It
            is called for one batch at a time, so the images are never all in memory.
        batch_size (int): Images in a forward pass.

    Returns:
        Reading: values (B, K, S), peaks (B, K, S, 2).
    """
    shape = (*target.peaks.shape[:2], num_variants)
    device = target.peaks.device
    if 0 in shape:
        return Reading(torch.zeros(shape, device=device), torch.zeros(*shape, 2, dtype=torch.long, device=device))
    readings = []
    for cases in torch.cartesian_prod(*(torch.arange(n, device=device) for n in shape)).split(batch_size):
        person, keypoint, variant = cases.unbind(-1)
        heatmaps = _heatmaps(model, images_of(person, keypoint, variant))
        own = (torch.arange(len(cases), device=device), keypoint)
        readings.append(Reading(target[person].values(heatmaps)[own], heatmap_peaks(heatmaps)[own]))
    values, peaks = map(torch.cat, zip(*readings))
    return Reading(values.view(shape), peaks.view(*shape, 2))


def normalised(values: Tensor, unperturbed: Tensor) -> Tensor:
    """Divide values (B, K, S) by the ``unperturbed`` ones (B, K); NaN where those are not positive and finite."""
    defined = (unperturbed > 0) & unperturbed.isfinite()
    return values / unperturbed.where(defined, torch.nan).unsqueeze(-1)


def check_arguments(inputs: Tensor, target: Target, maps: Tensor, batch_size: int) -> None:
    """Check the arguments that all perturbations share.

    Raises:
        InputError: ``maps`` or ``inputs`` do not belong to the target, there are none, ``maps`` are not finite, or
            ``batch_size`` is below 1.
    """
    expected = (*target.peaks.shape[:2], *target.grid)
    if tuple(maps.shape) != expected:
        raise InputError(f'maps must be (B, K, h, w) = {expected} as the target is, not {tuple(maps.shape)}')
    if len(inputs) != expected[0]:
        raise InputError(f'inputs holds {len(inputs)} images, but the target has {expected[0]}')
    if not len(inputs):
        raise InputError('inputs holds no image: there is no person to measure')
    if not maps.isfinite().all():
        raise InputError('maps hold NaN or infinity, which have no place in an order of relevance')
    require_at_least('batch_size', batch_size, 1)


def _heatmaps(model: PoseEstimator, images: Tensor) -> Tensor:
    return model.head.forward(model.extract_feat(images)).float()
