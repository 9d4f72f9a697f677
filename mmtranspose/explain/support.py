"""Which networks can be explained."""

from __future__ import annotations

import torch
from torch import nn

from mmtranspose.models.necks import TransPoseNeck

COMPILED = (
    'its attention cannot be read from outside. Explain the model before torch.compile or export: keep the eager model '
    '(it shares the weights; of torch.compile(model) it is ._orig_mod), or build it anew with init_model(config, '
    'checkpoint)'
)


def require_transpose(model: nn.Module) -> None:
    """Check that the attention of ``model`` can be read.

    Raises:
        TypeError: The model is accelerated, compiled, scripted or exported, wrapped for distributed training, or has
            no :class:`TransPoseNeck`.
    """
    if _is_exported(model):
        raise TypeError(f'the model is an exported or scripted {type(model).__name__}: {COMPILED}')
    if not isinstance(model, nn.Module):
        raise TypeError(f'the model must be a pose estimator, not a {type(model).__name__}')
    if isinstance(getattr(model, 'original', None), nn.Module):
        raise TypeError(
            'the model is accelerated: its attention is computed where it cannot be read. Explain decelerate(model), '
            'the model that it was made from'
        )
    for name, module in model.named_modules():
        if _is_compiled(module):
            raise TypeError(f'{f"model.{name}" if name else "the model"} is compiled: {COMPILED}')
    if isinstance(getattr(model, 'module', None), nn.Module):
        raise TypeError(f'the model is wrapped in {type(model).__name__}; explain model.module')
    neck = getattr(model, 'neck', None)
    if not isinstance(neck, TransPoseNeck):
        found = f'its neck is a {type(neck).__name__}' if neck is not None else 'it has no neck'
        raise TypeError(
            f'{type(model).__name__} cannot be explained: {found}. Needed is a pose estimator with neck=dict(type='
            f"'TransPoseNeck', ...), whose attention is what is shown; `mmtranspose list` names configs that have one"
        )


def _is_exported(model: object) -> bool:
    return isinstance(model, (torch.jit.ScriptModule, torch.fx.GraphModule, torch.export.ExportedProgram))


def _is_compiled(module: nn.Module) -> bool:
    return hasattr(module, '_orig_mod') or getattr(module, '_compiled_call_impl', None) is not None
