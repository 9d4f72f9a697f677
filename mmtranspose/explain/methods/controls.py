"""Controls: maps that do not read the network, which every method has to beat."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from mmtranspose.errors import InputError
from mmtranspose.explain.methods.base import Method
from mmtranspose.explain.target import Target
from mmtranspose.typing import PoseEstimator


@dataclass
class Gaussian(Method):
    """A Gaussian around the keypoint's peak, with value 1 there.

    A control: near places matter more, whatever the network does.

    Args:
        sigma (float): Standard deviation as a share of the crop's height. 0.1 of the usual crop (a person's box with
            padding 1.25) is an eighth of a standing person.

    Raises:
        InputError: ``sigma`` is not positive.
    """

    name: ClassVar[str] = 'gaussian'
    sigma: float = 0.1

    def __post_init__(self) -> None:
        if not 0 < self.sigma < math.inf:
            raise InputError(f'sigma={self.sigma} must be positive')

    def maps(self, model: PoseEstimator, inputs: Tensor, target: Target) -> Tensor:  # noqa: ARG002  not read
        """The maps (B, K, h, w)."""
        crop = inputs.shape[-2:]
        sigma = self.sigma * crop[0]
        distance_y, distance_x = (
            _distances(target.peaks[..., axis], target.heatmap_size[axis], target.grid[axis], crop[axis] / sigma)
            for axis in (0, 1)
        )
        return (-0.5 * (distance_y.unsqueeze(-1) ** 2 + distance_x.unsqueeze(-2) ** 2)).exp()


def _distances(peak: Tensor, heatmap_cells: int, tokens: int, length: float) -> Tensor:
    """Distances (..., tokens) from the middles of a line of tokens, ``length`` long, to that of a peak's cell."""
    middles = (torch.arange(tokens, device=peak.device) + 0.5) / tokens
    return (middles - ((peak + 0.5) / heatmap_cells).unsqueeze(-1)) * length


@dataclass
class RandomOrder(Method):
    """The tokens in a random order, a different one for each keypoint.

    The order is drawn from the seed and the image's numbers only, so it is the same in every batch and run. No two
    tokens have the same value; values lie in (0, 1].

    Args:
        seed (int): Not negative.

    Raises:
        InputError: ``seed`` is negative.
    """

    name: ClassVar[str] = 'random'
    seed: int = 0

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise InputError(f'seed={self.seed} must not be negative')

    def maps(self, model: PoseEstimator, inputs: Tensor, target: Target) -> Tensor:  # noqa: ARG002  not read
        """The maps (B, K, h, w)."""
        keypoints, (h, w) = target.peaks.shape[1], target.grid
        orders = [self._order(image, keypoints, h * w) for image in inputs]
        return torch.from_numpy(np.stack(orders)).to(inputs.device).unflatten(-1, (h, w))

    def _order(self, image: Tensor, keypoints: int, tokens: int) -> np.ndarray:
        content = zlib.crc32(image.float().contiguous().cpu().numpy().data)
        ranks = np.tile(np.arange(1, tokens + 1, dtype=np.float32), (keypoints, 1))
        return np.random.default_rng([self.seed, content]).permuted(ranks, axis=1) / np.float32(tokens)
