"""Records what the encoder's attention layers are given, from outside the network."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from torch import Tensor, nn

from mmtranspose.models.layers import SelfAttention


@dataclass
class AttentionInput:
    """What one attention layer was given: tokens (B, N, d), position embedding (N, d) or None."""

    layer: SelfAttention
    tokens: Tensor
    pos: Tensor | None


@contextmanager
def recorded_attention(encoder: nn.Module) -> Iterator[list[AttentionInput]]:
    """Record the input of every attention layer of ``encoder`` that runs inside the ``with`` block, in order.

    The network computes what it always does; the hooks are gone when the block ends, also by an error.
    """
    records: list[AttentionInput] = []

    def record(layer: SelfAttention, args: tuple, kwargs: dict) -> None:
        pos = args[1] if len(args) > 1 else kwargs.get('pos')
        records.append(AttentionInput(layer, args[0], pos))

    handles = [
        module.register_forward_pre_hook(record, with_kwargs=True)
        for module in encoder.modules()
        if isinstance(module, SelfAttention)
    ]
    try:
        yield records
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode for the ``with`` block, then every module's own mode again."""
    training = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, mode in training.items():
            module.training = mode
