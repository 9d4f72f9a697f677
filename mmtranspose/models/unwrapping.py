"""The network itself, below what distributed training, compilation and export put around it."""

from __future__ import annotations

import torch
from mmengine.model import is_model_wrapper
from torch import nn


def unwrapped(model: nn.Module) -> nn.Module:
    """The model that a wrapper for distributed training holds, or the model itself."""
    return model.module if is_model_wrapper(model) or _is_data_parallel(model) else model


def is_wrapped(model: object) -> bool:
    """Whether a model is wrapped for distributed training."""
    return isinstance(model, nn.Module) and (is_model_wrapper(model) or _is_data_parallel(model))


def is_compiled(module: nn.Module) -> bool:
    """Whether a module is of ``torch.compile``, or was compiled in place."""
    return hasattr(module, '_orig_mod') or getattr(module, '_compiled_call_impl', None) is not None


def compiled_part(model: nn.Module) -> str | None:
    """Name of the first compiled module in a model, '' for the model itself; None where nothing is compiled."""
    return next((name for name, module in model.named_modules() if is_compiled(module)), None)


def is_exported(model: object) -> bool:
    """Whether a model was scripted, traced by FX or exported."""
    return isinstance(model, (torch.jit.ScriptModule, torch.fx.GraphModule, torch.export.ExportedProgram))


def _is_data_parallel(model: object) -> bool:
    return isinstance(getattr(model, 'module', None), nn.Module)
