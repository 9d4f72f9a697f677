"""Methods that say which places a keypoint depends on; one file each, one interface (:class:`Method`)."""

from __future__ import annotations

from functools import partial

from mmtranspose.explain.methods.attention_map import AttentionMap
from mmtranspose.explain.methods.base import Method
from mmtranspose.explain.methods.controls import Gaussian, RandomOrder
from mmtranspose.explain.methods.gradient_attention import GradientAttention
from mmtranspose.explain.methods.input_gradients import InputGradient, IntegratedGradients
from mmtranspose.explain.methods.rollout import Rollout

__all__ = [
    'AttentionMap',
    'Gaussian',
    'GradientAttention',
    'InputGradient',
    'IntegratedGradients',
    'Method',
    'RandomOrder',
    'Rollout',
    'build_method',
    'method_names',
]

_KINDS = (Rollout, GradientAttention, InputGradient, IntegratedGradients, Gaussian, RandomOrder)


def method_names(num_layers: int) -> list[str]:
    """Every method's name for an encoder of ``num_layers`` layers; the controls, ``gaussian`` and ``random``, last."""
    return list(_table(num_layers))


def build_method(name: str, num_layers: int, **options) -> Method:
    """The method called ``name``.

    Args:
        name (str): One of :func:`method_names`.
        num_layers (int): Of the encoder: ``len(model.neck.encoder.layers)``.
        **options: The method's own, such as ``n_steps`` of :class:`IntegratedGradients`.

    Raises:
        ValueError: There is no such method.
        ModuleNotFoundError: The method needs a package that is not installed.
    """
    table = _table(num_layers)
    if name not in table:
        raise ValueError(f'method {name!r} is unknown; choose from {", ".join(table)}')
    return table[name](**options)


def _table(num_layers: int) -> dict:
    layers = {f'attention-{layer}': partial(AttentionMap, layer) for layer in range(1, num_layers + 1)}
    return layers | {kind.name: kind for kind in _KINDS}
