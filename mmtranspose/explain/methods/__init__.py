"""Methods that say which places a keypoint depends on: one file each, one interface (:class:`Method`)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from mmtranspose.errors import InputError
from mmtranspose.explain.methods.attention_map import AttentionMap
from mmtranspose.explain.methods.attention_norm import AttentionNorm
from mmtranspose.explain.methods.base import Method
from mmtranspose.explain.methods.controls import Gaussian, RandomOrder
from mmtranspose.explain.methods.gradient_attention import GradientAttention
from mmtranspose.explain.methods.input_gradients import InputGradient, IntegratedGradients, SmoothGrad
from mmtranspose.explain.methods.interventions import EdgeKnockout, TokenAblation
from mmtranspose.explain.methods.layer_cam import PLACES, LayerCAM
from mmtranspose.explain.methods.rollout import Rollout

__all__ = [
    'AttentionMap',
    'AttentionNorm',
    'EdgeKnockout',
    'Gaussian',
    'GradientAttention',
    'InputGradient',
    'IntegratedGradients',
    'LayerCAM',
    'Method',
    'RandomOrder',
    'Rollout',
    'SmoothGrad',
    'TokenAblation',
    'build_method',
    'method_names',
]


NAMED = (
    Rollout,
    GradientAttention,
    InputGradient,
    SmoothGrad,
    IntegratedGradients,
    TokenAblation,
    EdgeKnockout,
    Gaussian,
    RandomOrder,
)


def method_names(num_layers: int) -> list[str]:
    """List the names of all methods for an encoder of ``num_layers`` layers; the controls come last."""
    return list(_builders(num_layers))


def build_method(name: str, num_layers: int, **options: Any) -> Method:
    """Build a method by its name.

    Args:
        name (str): One of :func:`method_names`.
        num_layers (int): Number of encoder layers: ``len(model.neck.encoder.layers)``.
        **options: The method's own, such as ``n_steps`` of :class:`IntegratedGradients`.

    Raises:
        InputError: There is no such method, an option's value is out of range, or the method needs a package that is
            not installed.
    """
    builders = _builders(num_layers)
    if name not in builders:
        raise InputError(f'method {name!r} is unknown; choose from {", ".join(builders)}')
    return builders[name](**options)


def _builders(num_layers: int) -> dict[str, Callable[..., Method]]:
    builders: dict[str, Callable[..., Method]] = {
        f'attention-{layer}': partial(AttentionMap, layer) for layer in range(1, num_layers + 1)
    }
    builders |= {f'attention-norm-{layer}': partial(AttentionNorm, layer) for layer in range(1, num_layers + 1)}
    builders |= {f'layer-cam-{place}': partial(LayerCAM, place) for place in PLACES}
    for kind in NAMED:
        builders[kind.name] = kind
    return builders
