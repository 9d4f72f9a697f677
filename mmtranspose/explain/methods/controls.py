"""Controls: maps that do not read the network."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
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


@dataclass
class RandomOrder(Method):
    """The tokens in random order, another for each keypoint: a control, which every method has to beat.

    The order follows from the seed and the image's numbers alone, so that it is the same in every batch and run. No
    two tokens have the same value; values lie in (0, 1].

    Args:
        seed (int): Not negative.

    Raises:
        ValueError: ``seed`` is negative.
    """

    name: ClassVar[str] = 'random'
    seed: int = 0

    def __post_init__(self):
        if self.seed < 0:
            raise ValueError(f'seed={self.seed} must not be negative')

    def maps(self, model: nn.Module, inputs: Tensor, target: Target) -> Tensor:
        keypoints, (h, w) = target.peaks.shape[1], target.grid
        orders = [self._order(picture, keypoints, h * w) for picture in inputs]
        return torch.from_numpy(np.stack(orders)).to(inputs.device).unflatten(-1, (h, w))

    def _order(self, picture: Tensor, keypoints: int, tokens: int) -> np.ndarray:
        content = zlib.crc32(picture.float().contiguous().cpu().numpy())
        ranks = np.tile(np.arange(1, tokens + 1, dtype=np.float32), (keypoints, 1))
        return np.random.default_rng([self.seed, content]).permuted(ranks, axis=1) / np.float32(tokens)
