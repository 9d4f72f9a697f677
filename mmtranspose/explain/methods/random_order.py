"""A control that knows nothing."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from mmtranspose.explain.methods.base import Method
from mmtranspose.explain.target import Target


@dataclass
class RandomOrder(Method):
    """The tokens in random order, another for each keypoint: a control, which every method has to beat.

    The order follows from the seed and the picture's numbers alone, so that it is the same in every batch and run. No
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
