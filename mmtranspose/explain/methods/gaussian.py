"""A control that knows where the keypoint is, and nothing else."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from mmtranspose.explain.methods.base import Method
from mmtranspose.explain.target import Target


@dataclass
class Gaussian(Method):
    """A Gaussian around the keypoint's peak, 1 there: a control, as near places matter more whatever the network does.

    Args:
        sigma (float): As a share of the crop's height; 0.1 of the usual crop (a person's box with padding 1.25) is an
            eighth of a standing person.

    Raises:
        ValueError: ``sigma`` is not positive.
    """

    name: ClassVar[str] = 'gaussian'
    sigma: float = 0.1

    def __post_init__(self):
        if not 0 < self.sigma < math.inf:
            raise ValueError(f'sigma={self.sigma} must be positive')

    def maps(self, model: nn.Module, inputs: Tensor, target: Target) -> Tensor:
        crop = inputs.shape[-2:]
        sigma = self.sigma * crop[0]
        distance_y, distance_x = (
            _distances(target.peaks[..., axis], target.heatmap_size[axis], target.grid[axis], crop[axis] / sigma)
            for axis in (0, 1)
        )
        return (-0.5 * (distance_y.unsqueeze(-1) ** 2 + distance_x.unsqueeze(-2) ** 2)).exp()


def _distances(peak: Tensor, heatmap_cells: int, tokens: int, length: float) -> Tensor:
    """From the middles of a line of tokens to that of a peak's cell: (..., tokens), where the line is ``length``."""
    middles = (torch.arange(tokens, device=peak.device) + 0.5) / tokens
    return (middles - ((peak + 0.5) / heatmap_cells).unsqueeze(-1)) * length
