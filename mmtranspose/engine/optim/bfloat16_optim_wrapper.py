"""Mixed-precision training in bfloat16, which needs no loss scale."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.logging import print_log
from mmengine.optim import OptimWrapper
from mmpose.registry import OPTIM_WRAPPERS
from torch import nn

from mmtranspose.acceleration.options import is_native


def supports_bfloat16() -> bool:
    """Whether there is a GPU with bfloat16 units. (On older GPUs PyTorch emulates bfloat16, slowly.)"""
    return torch.cuda.is_available() and is_native('bf16', torch.device('cuda'))


@OPTIM_WRAPPERS.register_module()
class Bfloat16OptimWrapper(OptimWrapper):
    """Trains in mixed precision with bfloat16, which has the range of float32.

    Because of that range gradients need no scale, and the host does not wait at every step to learn whether they
    overflowed, as it does with mmengine's ``AmpOptimWrapper`` for float16. Weights, optimiser and loss stay float32
    (autocast's rule for ``mse_loss``), so a checkpoint of this wrapper can be resumed with ``OptimWrapper`` and vice
    versa.

    Args:
        device_type (str | None): Where to compute in bfloat16: ``'cuda'`` or ``'cpu'`` (rarely faster there). None: on
            a GPU that supports it; without one everything stays float32, and the log says so.
        **kwargs: Arguments of ``OptimWrapper``.
    """

    def __init__(self, device_type: str | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        if device_type is None and supports_bfloat16():
            device_type = 'cuda'
        self.device_type = device_type
        if device_type is None:
            print_log('no GPU that supports bfloat16: training in float32', logger='current')

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Compute the forward pass and the loss inside this context."""
        enabled = self.device_type is not None
        autocast = torch.autocast(self.device_type or 'cpu', dtype=torch.bfloat16, enabled=enabled)
        with super().optim_context(model), autocast:
            yield
