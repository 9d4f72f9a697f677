"""Position embeddings for a grid of tokens."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class SinePositionEncoding(nn.Module):
    """2-D sine embedding: computed for the grid at hand, nothing to learn or store.

    Coordinates run 1..h and 1..w, divided by (last + 1e-6) and scaled by 2 pi. The first d/2 channels come from y, the
    last d/2 from x; within each, channel 2i is sin and 2i + 1 is cos of ``coordinate / temperature ** (2i / (d/2))``
    (DETR's normalised form, Carion et al. 2020).

    Args:
        embed_dims (int): Channels d.
        temperature (float): Longest wavelength.

    Raises:
        ValueError: 4 does not divide ``embed_dims``.
    """

    def __init__(self, embed_dims: int, temperature: float = 10000.0):
        super().__init__()
        if embed_dims % 4:
            raise ValueError(f'the sine position encoding needs embed_dims divisible by 4, not {embed_dims}')
        self.embed_dims = embed_dims
        self.temperature = temperature
        self._cached: tuple[tuple, Tensor] | None = None

    def forward(self, grid: tuple[int, int], like: Tensor) -> Tensor:
        """The table of a grid (h, w): (h * w, d), rows in row-major order, with ``like``'s device and dtype."""
        key = (*grid, like.device, like.dtype)
        if self._cached is None or self._cached[0] != key:
            with torch.inference_mode(False), torch.no_grad():
                table = self.table(*grid).to(like.device, like.dtype)
            self._cached = (key, table)
        return self._cached[1]

    def table(self, h: int, w: int) -> Tensor:
        """The table in float32 on the CPU, (h * w, d)."""
        y = self._encode(h).unsqueeze(1).expand(h, w, -1)
        x = self._encode(w).unsqueeze(0).expand(h, w, -1)
        return torch.cat([y, x], dim=-1).flatten(0, 1)

    def _encode(self, length: int) -> Tensor:
        half = self.embed_dims // 2
        coordinate = torch.arange(1, length + 1, dtype=torch.float32) / (length + 1e-6) * (2 * math.pi)
        exponent = torch.arange(0, half, 2, dtype=torch.float32) / half
        angle = coordinate[:, None] / self.temperature**exponent
        return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)


class LearnablePositionEncoding(nn.Module):
    """One learnt vector a cell, N(0, 1) at the start; other grids get it bicubically interpolated.

    Args:
        embed_dims (int): Channels d.
        grid (tuple[int, int]): Token grid (h, w) of training.

    Raises:
        ValueError: ``grid`` is missing.
    """

    def __init__(self, embed_dims: int, grid: tuple[int, int] | None):
        super().__init__()
        if grid is None:
            raise ValueError(
                'the learnable position encoding needs grid=(h, w), the token grid it is trained for: '
                "input height and width divided by the backbone's stride"
            )
        self.grid = tuple(grid)
        self.weight = nn.Parameter(torch.empty(self.grid[0] * self.grid[1], embed_dims))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the vectors anew."""
        nn.init.normal_(self.weight)

    def forward(self, grid: tuple[int, int], like: Tensor) -> Tensor:
        """The table of a grid (h, w): (h * w, d), rows in row-major order, with ``like``'s dtype."""
        weight = self.weight
        if tuple(grid) != self.grid:
            image = weight.unflatten(0, self.grid).permute(2, 0, 1).unsqueeze(0)
            image = F.interpolate(image, size=tuple(grid), mode='bicubic', align_corners=False)
            weight = image.squeeze(0).flatten(1).transpose(0, 1)
        return weight.to(like.dtype)


def build_position_encoding(kind: str | None, embed_dims: int, grid: tuple[int, int] | None) -> nn.Module | None:
    """The position encoding called ``kind``: ``'sine'``, ``'learnable'`` or None.

    Raises:
        ValueError: ``kind`` is none of these.
    """
    if kind is None:
        return None
    if kind == 'sine':
        return SinePositionEncoding(embed_dims)
    if kind == 'learnable':
        return LearnablePositionEncoding(embed_dims, grid)
    raise ValueError(f"position_encoding={kind!r} is unknown; choose 'sine', 'learnable' or None")
