"""Record what the encoder's attention layers are given, from outside the network."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mmtranspose.models.layers import SelfAttention
from mmtranspose.models.necks import TransPoseNeck
from mmtranspose.models.unwrapping import is_compiled, is_exported

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
    if is_exported(model):
        raise TypeError(f'the model is an exported or scripted {type(model).__name__}: {COMPILED}')
    if not isinstance(model, nn.Module):
        raise TypeError(f'the model must be a pose estimator, not a {type(model).__name__}')
    if isinstance(getattr(model, 'original', None), nn.Module):
        raise TypeError(
            'the model is accelerated: its attention is computed where it cannot be read. Explain decelerate(model), '
            'the model that it was made from'
        )
    for name, module in model.named_modules():
        if is_compiled(module):
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
