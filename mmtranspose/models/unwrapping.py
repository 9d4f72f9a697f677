"""Tell whether a model is wrapped, compiled or exported, and find the model inside a wrapper."""

from __future__ import annotations

from typing import Any, TypeVar

import torch
from mmengine.model import is_model_wrapper
from torch import nn

Model = TypeVar('Model')


def unwrapped(model: Model) -> Model:
    """The model inside a wrapper for distributed training (``wrapper.module``), or the model itself."""
    holder: Any = model
    return holder.module if is_wrapped(model) else model


def is_wrapped(model: object) -> bool:
    """Whether a model is wrapped for distributed training (``DistributedDataParallel``, ``DataParallel``, ...)."""
    is_module = isinstance(model, nn.Module)
    return is_module and (is_model_wrapper(model) or isinstance(getattr(model, 'module', None), nn.Module))


def is_compiled(module: nn.Module) -> bool:
    """Whether a module was made by ``torch.compile(module)``, or compiled in place by ``module.compile()``."""
    return hasattr(module, '_orig_mod') or getattr(module, '_compiled_call_impl', None) is not None


def compiled_part(model: nn.Module) -> str | None:
    """Name of the first compiled module in a model: '' is the model itself, None means that nothing is compiled."""
    return next((name for name, module in model.named_modules() if is_compiled(module)), None)


def is_exported(model: object) -> bool:
    """Whether a model was scripted, traced by ``torch.fx`` or exported."""
    return isinstance(model, (torch.jit.ScriptModule, torch.fx.GraphModule, torch.export.ExportedProgram))
