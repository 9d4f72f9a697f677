"""The five variants with random weights that keep activations in scale, and images small enough for tests."""

from __future__ import annotations

from functools import lru_cache

import torch
from golden import fill
from torch import nn

from mmtranspose.apis import init_model
from mmtranspose.loading.config import load_config

VARIANTS = ('r-a3', 'r-a4', 'h-s', 'h-a4', 'h-a6')


def randomised(model: nn.Module, tokens: float = 0.35) -> nn.Module:
    """The model itself, its weights and batch statistics drawn by the rule of the golden files.

    ``tokens`` scales the projection: HRNet's sums of many branches are large.
    """
    scale = {'neck.projection.weight': tokens}
    state = {name: fill(name, list(value.shape), scale) for name, value in model.state_dict().items()}
    model.load_state_dict({name: torch.as_tensor(value) for name, value in state.items()})
    return model


@lru_cache
def variant(name: str) -> nn.Module:
    """A model for every test of the session: not to be changed."""
    model = init_model(load_config(f'transpose-{name}', {'model.backbone.init_cfg': None}))
    return randomised(model, 0.35 if name.startswith('r') else 0.003)


def random_images(size: int = 2, height: int = 64, width: int = 48) -> torch.Tensor:
    """Normalised images (B, 3, H, W)."""
    return torch.randn(size, 3, height, width)


def plain_heatmaps(model: nn.Module, inputs: torch.Tensor) -> torch.Tensor:
    """What MMPose's estimator computes."""
    with torch.no_grad():
        return model(inputs, None, mode='tensor')


def range_error(found: torch.Tensor, expected: torch.Tensor) -> float:
    """Largest difference as a share of the expected values' range."""
    return ((found - expected).abs().max() / (expected.max() - expected.min())).item()
