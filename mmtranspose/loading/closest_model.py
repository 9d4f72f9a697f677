"""Find the model of this package that a file of weights looks like."""

from __future__ import annotations

import functools
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmpose.registry import MODELS
from torch import Tensor

from mmtranspose.loading import zoo
from mmtranspose.loading.weights_comparison import WeightsComparison, compare
from mmtranspose.typing import PoseEstimator

ALIKE = 0.5  # the smallest similarity at which weights are said to look like a model


@functools.cache
def build_empty(config: str) -> PoseEstimator:
    """Build the model of a config with names and shapes, but without memory for its weights (torch's meta device)."""
    model = Config.fromfile(config).model
    model.backbone.init_cfg = None
    with DefaultScope.overwrite_default_scope('mmpose'), torch.device('meta'):
        return MODELS.build(model)


def closest_model(weights: dict[str, Tensor]) -> tuple[dict[str, Any], WeightsComparison] | None:
    """Find the model of the zoo whose state dict differs least from some weights.

    Of models that differ equally, one with released weights is taken, else the first in the index. Weights do not show
    the number of attention heads, so models that differ in it alone are equal here.

    Args:
        weights (dict[str, Tensor]): A state dict, in this package's names or the authors'.

    Returns:
        tuple[dict, WeightsComparison] | None: The model's entry in the zoo, and the comparison with it; None where no
        model shares layers of its encoder and half of all names with the weights.
    """
    best = None
    for entry in sorted(zoo.models(), key=lambda entry: entry['Weights'] is None):
        found = compare(build_empty(entry['Config']), weights)
        has_encoder = any('encoder.layers.' in name for name in found.matching)
        if has_encoder and found.similarity >= ALIKE and (best is None or found.distance < best[1].distance):
            best = entry, found
        if found.exact:
            break
    return best


def looks_like(weights: dict[str, Tensor]) -> str:
    """Say in a sentence which model of the zoo some weights look like, and which config it has."""
    closest = closest_model(weights)
    if closest is None:
        return 'It looks like no model of mmtranspose.'
    entry, found = closest
    *_, alias = zoo.names_of(entry)
    degree = '' if found.exact else f' ({len(found.matching)} of {len(found.matching) + found.distance} tensors)'
    return f'It looks like {alias}{degree}, whose config is {zoo.relative(entry["Config"])} ({alias} for short).'
