"""Mixed precision without a loss scale."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.logging import print_log
from mmengine.optim import OptimWrapper
from mmpose.registry import OPTIM_WRAPPERS
from torch import nn

from mmtranspose.acceleration.options import native


def supports_bfloat16() -> bool:
    """Whether there is a GPU that calculates in bfloat16 itself (PyTorch emulates it on older ones, slowly)."""
    return torch.cuda.is_available() and native('bf16', torch.device('cuda'))


@OPTIM_WRAPPERS.register_module()
class Bfloat16OptimWrapper(OptimWrapper):
    """Trains in mixed precision with bfloat16, whose range is float32's.

    Gradients therefore need no scale, and the host need not wait at every step to learn whether they overflowed, as
    mmengine's ``AmpOptimWrapper`` does for float16. Weights, optimiser and loss stay float32 (autocast's rule for
    ``mse_loss``), so checkpoints go back and forth between this wrapper and ``OptimWrapper``.

    Args:
        device_type (str | None): Where to calculate in bfloat16: ``'cuda'`` or ``'cpu'`` (seldom faster there). None:
            on a GPU that supports it; anywhere else everything stays float32, and the log says so.
        **kwargs: As in ``OptimWrapper``.
    """

    def __init__(self, device_type: str | None = None, **kwargs):
        super().__init__(**kwargs)
        if device_type is None and supports_bfloat16():
            device_type = 'cuda'
        self.device_type = device_type
        if device_type is None:
            print_log('no GPU that supports bfloat16: training in float32', logger='current')

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """For the forward pass and the loss."""
        enabled = self.device_type is not None
        autocast = torch.autocast(self.device_type or 'cpu', dtype=torch.bfloat16, enabled=enabled)
        with super().optim_context(model), autocast:
            yield
