"""Records what the encoder's attention layers are given, from outside the network."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mmtranspose.explain.support import COMPILED, require_transpose
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


@dataclass
class RecordedForward:
    """One pass of the network.

    Attributes:
        records (list[AttentionInput]): Of every encoder layer, in order.
        grid (tuple[int, int]): Token grid (h, w).
        heatmaps (Tensor | None): (B, K, H, W).
    """

    records: list[AttentionInput]
    grid: tuple[int, int]
    heatmaps: Tensor | None


@torch.no_grad()
def recorded_forward(model: nn.Module, inputs: Tensor, with_heatmaps: bool = True) -> RecordedForward:
    """Run the network once, as always, in evaluation mode, and keep what its attention layers were given.

    Args:
        model (nn.Module): A pose estimator with a :class:`TransPoseNeck`.
        inputs (Tensor): (B, 3, H, W), as the network takes them.
        with_heatmaps (bool): Run the head too.

    Raises:
        TypeError: The model cannot be explained; see :func:`require_transpose`.
    """
    require_transpose(model)
    with evaluating(model), recorded_attention(model.neck.encoder) as records:
        features = model.extract_feat(inputs)
        heatmaps = model.head.forward(features) if with_heatmaps else None
    expected = sum(isinstance(module, SelfAttention) for module in model.neck.encoder.modules())
    if len(records) != expected:
        raise TypeError(f'{len(records)} of {expected} attention layers ran where they could be recorded: {COMPILED}')
    return RecordedForward(records, tuple(features[-1].shape[-2:]), heatmaps)
