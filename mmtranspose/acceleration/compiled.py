"""``torch.compile`` of the network for any batch size."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from mmtranspose.acceleration.compile_or_eager import compile_or_eager


def compile_any_batch(function: Callable, **options) -> Callable:
    """Compile ``function(inputs, tables)`` once for all batch sizes (a batch of one apart) of a picture size.

    Args:
        function (Callable): Takes pictures (B, 3, H, W) and tables for (H, W).
        **options: As in ``torch.compile``.

    Returns:
        Callable: With the same arguments and results; where there is no compiler, it warns once and runs uncompiled.
    """
    compiled = compile_or_eager(function, 'the accelerated network', **options)

    def call(inputs: Tensor, tables: tuple[Tensor, ...]) -> Tensor:
        torch._dynamo.maybe_mark_dynamic(inputs, 0)
        return compiled(inputs, tables)

    return call
