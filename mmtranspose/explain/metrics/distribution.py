"""Maps taken as distributions over the cells."""

from __future__ import annotations

from torch import Tensor


def distribution(maps: Tensor) -> Tensor:
    """The positive parts of maps (..., h, w), each summing to 1; float32. NaN where a map has no positive value."""
    positive = maps.float().clamp(min=0)
    return positive / positive.sum((-1, -2), keepdim=True)
