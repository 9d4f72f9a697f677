"""The order in which cells are taken away, and the pixels that go with them."""

from __future__ import annotations

import torch
from torch import Tensor


def cell_ranks(maps: Tensor, seed: int = 0) -> Tensor:
    """Each cell's place in the order of relevance, 0 for the most relevant.

    Cells of equal relevance follow in a random order drawn from the seed: one order for each keypoint, the same for
    all pictures and on every device, so that a person's ranks do not depend on who else is in the batch.

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
