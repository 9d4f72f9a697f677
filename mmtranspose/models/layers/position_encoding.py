"""Position embeddings for a grid of tokens: sine or learnable."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmtranspose.errors import InputError, require_choice, require_size


class SinePositionEncoding(nn.Module):
    """A 2-D sine embedding, computed for each token grid; it has no parameters.

    Coordinates run from 1 to h and from 1 to w, are divided by (last + 1e-6) and multiplied by 2 pi. The first d/2
    channels depend on y, the others on x. In each half, channel 2i is the sine and channel 2i + 1 the cosine of
    ``coordinate / temperature ** (2i / (d/2))`` (the normalised form of DETR, Carion et al. 2020).

    Args:
        embed_dims (int): Channels d, divisible by 4.
        temperature (float): Factor from the shortest to the longest wavelength.

    Raises:
        InputError: ``embed_dims`` is not divisible by 4.
    """

    def __init__(self, embed_dims: int, temperature: float = 10000.0):
        super().__init__()
        if embed_dims % 4:
            raise InputError(f'the sine position encoding needs embed_dims divisible by 4, not {embed_dims}')
        self.embed_dims = embed_dims
        self.temperature = temperature
        self._cached: tuple[tuple, Tensor] | None = None

    def forward(self, grid: tuple[int, int], like: Tensor) -> Tensor:
        """Compute the embedding (h * w, d) of a grid (h, w), row-major, with the device and dtype of ``like``."""
        key = (*grid, like.device, like.dtype)
        if torch.compiler.is_compiling() and (self._cached is None or self._cached[0] != key):
            return self.table(*grid).to(like.device, like.dtype)  # what is traced must not be kept
        if self._cached is None or self._cached[0] != key:
            with torch.inference_mode(False), torch.no_grad():
                table = self.table(*grid).to(like.device, like.dtype)
            self._cached = (key, table)
        return self._cached[1]

    def table(self, h: int, w: int) -> Tensor:
        """Compute the embedding (h * w, d) of a grid (h, w), row-major, in float32 on the CPU."""
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
    """A learnable vector for each cell, initialised with N(0, 1); interpolated bicubically for other grids.

    Args:
        embed_dims (int): Channels d.
        grid (tuple[int, int]): Token grid (h, w) of training.

    Raises:
        InputError: ``grid`` is None, or not two numbers from 1 on.
    """

    def __init__(self, embed_dims: int, grid: tuple[int, int] | None):
        super().__init__()
        if grid is None:
            raise InputError(
                'the learnable position encoding needs grid=(h, w), the token grid it is trained for: '
                "input height and width divided by the backbone's stride"
            )
        require_size('grid', grid)
        self.grid = tuple(grid)
        self.weight = nn.Parameter(torch.empty(self.grid[0] * self.grid[1], embed_dims))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the vectors at random."""
        nn.init.normal_(self.weight)

    def forward(self, grid: tuple[int, int], like: Tensor) -> Tensor:
        """Compute the embedding (h * w, d) of a grid (h, w), row-major, with the dtype of ``like``."""
        weight: Tensor = self.weight
        if tuple(grid) != self.grid:
            image = weight.unflatten(0, self.grid).permute(2, 0, 1).unsqueeze(0)
            image = F.interpolate(image, size=tuple(grid), mode='bicubic', align_corners=False)
            weight = image.squeeze(0).flatten(1).transpose(0, 1)
        return weight.to(like.dtype)


def build_position_encoding(kind: str | None, embed_dims: int, grid: tuple[int, int] | None) -> nn.Module | None:
    """Make a position encoding by its name.

    Args:
        kind (str | None): ``'sine'``, ``'learnable'``, or None for no position encoding.
        embed_dims (int): Channels d.
        grid (tuple[int, int] | None): Token grid (h, w) of training; needed for ``'learnable'``.

    Raises:
        InputError: ``kind`` is unknown, or ``embed_dims`` or ``grid`` does not fit it.
    """
    require_choice('position_encoding', kind, ('sine', 'learnable', None))
    if kind is None:
        return None
    return SinePositionEncoding(embed_dims) if kind == 'sine' else LearnablePositionEncoding(embed_dims, grid)
