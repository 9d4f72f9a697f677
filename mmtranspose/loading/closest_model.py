"""Which model of ours a file of weights looks like."""

from __future__ import annotations

import functools

import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmpose.registry import MODELS
from torch import Tensor, nn

from mmtranspose.loading import zoo
from mmtranspose.loading.weights_comparison import Comparison, compare

ALIKE = 0.5  # share of tensors with equal name and shape from which on two models are called alike


@functools.cache
def build_empty(config: str) -> nn.Module:
    """A config's model without memory for its weights: names and shapes alone (torch's meta device)."""
    model = Config.fromfile(config).model
    model.backbone.init_cfg = None
    with DefaultScope.overwrite_default_scope('mmpose'), torch.device('meta'):
        return MODELS.build(model)


def closest_model(weights: dict[str, Tensor]) -> tuple[dict, Comparison] | None:
    """The model of the zoo with the fewest differences from the weights, and these; None if none is like them.

    Of equals one with released weights, else the first in the index. The number of attention heads is not in the
    weights.
    """
    best = None
    for entry in sorted(zoo.models(), key=lambda entry: entry['Weights'] is None):
        found = compare(build_empty(entry['Config']), weights)
        encoded = any('encoder.layers.' in name for name in found.kept)
        if encoded and found.similarity >= ALIKE and (best is None or found.distance < best[1].distance):
            best = entry, found
        if found.complete:
            break
    return best


def looks_like(weights: dict[str, Tensor]) -> str:
    """A sentence that says which model the weights look like, and which config belongs to it."""
    closest = closest_model(weights)
    if closest is None:
        return 'It looks like no model of mmtranspose.'
    entry, found = closest
    *_, alias = zoo.names_of(entry)
    degree = '' if found.complete else f' ({len(found.kept)} of {len(found.kept) + found.distance} tensors)'
    return f'It looks like {alias}{degree}, whose config is {zoo.relative(entry["Config"])} ({alias} for short).'
