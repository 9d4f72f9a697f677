"""Copy a model without its weights, to try shapes without memory or arithmetic."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn


def meta_copy(model: nn.Module) -> Any:
    """Copy a model to PyTorch's meta device: parameters and buffers have shapes but no memory; no weight is copied.

    Args:
        model (nn.Module): The model, on any device; it is left as it is.
    """
    memo: dict[int, Any] = {}
    for parameter in model.parameters():
        memo[id(parameter)] = nn.Parameter(torch.empty_like(parameter, device='meta'), parameter.requires_grad)
    for buffer in model.buffers():
        memo[id(buffer)] = torch.empty_like(buffer, device='meta')
    return copy.deepcopy(model, memo).to('meta')
