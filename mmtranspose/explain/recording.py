"""Run a network as always and record, from outside, what its attention layers are given."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from mmtranspose.errors import InputError, UnsupportedModelError
from mmtranspose.explain.token_grid import map_size
from mmtranspose.models.layers import SelfAttention
from mmtranspose.models.necks import TransPoseNeck
from mmtranspose.models.unwrapping import compiled_part, is_exported, is_wrapped
from mmtranspose.typing import PoseEstimator

CANNOT_BE_READ = (
    'its attention cannot be read from outside. Explain the model before torch.compile or export: keep the eager model '
    '(it shares the weights; of torch.compile(model) it is ._orig_mod), or build it anew with init_model(config, '
    'checkpoint)'
)


def require_transpose(model: object) -> None:
    """Check that the attention of ``model`` can be read.

    Raises:
        UnsupportedModelError: The model is accelerated, compiled, scripted or exported, wrapped for distributed
            training, or has no :class:`TransPoseNeck`.
    """
    if is_exported(model):
        raise UnsupportedModelError(f'the model is an exported or scripted {type(model).__name__}: {CANNOT_BE_READ}')
    if not isinstance(model, nn.Module):
        raise UnsupportedModelError(f'the model must be a pose estimator, not a {type(model).__name__}')
    if isinstance(getattr(model, 'original', None), nn.Module):
        raise UnsupportedModelError(
            'the model is accelerated: its attention is computed where it cannot be read. Explain decelerate(model), '
            'the model that it was made from'
        )
    compiled = compiled_part(model)
    if compiled is not None:
        called = f'model.{compiled}' if compiled else 'the model'
        raise UnsupportedModelError(f'{called} is compiled: {CANNOT_BE_READ}')
    if is_wrapped(model):
        raise UnsupportedModelError(f'the model is wrapped in {type(model).__name__}; explain model.module')
    neck = getattr(model, 'neck', None)
    if not isinstance(neck, TransPoseNeck):
        found = f'its neck is a {type(neck).__name__}' if neck is not None else 'it has no neck'
        raise UnsupportedModelError(
            f'{type(model).__name__} cannot be explained: {found}. Only a pose estimator with neck=dict('
            "type='TransPoseNeck', ...) can: its attention is what is shown; `mmtranspose list` names such configs"
        )


def require_inputs(inputs: object) -> None:
    """Check the inputs of a network.

    Raises:
        InputError: They are not (B, 3, H, W), not floating-point numbers, or not finite.
    """
    wanted = 'inputs must be (B, 3, H, W), normalised, as model.data_preprocessor gives them'
    if not isinstance(inputs, Tensor) or inputs.ndim != 4 or inputs.shape[1] != 3:
        raise InputError(f'{wanted}, not {tuple(getattr(inputs, "shape", ())) or type(inputs).__name__}')
    if not inputs.is_floating_point():
        raise InputError(f'{wanted}, not {inputs.dtype}')
    if not torch.compiler.is_compiling() and not inputs.isfinite().all():  # values are not known while traced
        raise InputError('inputs hold NaN or infinity, so no map of them means anything')


def require_full_precision(model: PoseEstimator) -> None:
    """Check that an intervention's effect on a model's predictions can be measured.

    Raises:
        InputError: The model is in half precision.
    """
    weights = next(model.parameters()).dtype
    if weights not in (torch.float32, torch.float64):
        raise InputError(
            f"the model's weights are {weights}: an intervention measures differences that are smaller than its "
            'rounding; explain the model in float32 (model.float())'
        )


@dataclass
class AttentionInput:
    """What one attention layer was given.

    Attributes:
        layer (SelfAttention): The layer.
        tokens (Tensor): (B, N, d).
        pos (Tensor | None): (N, d), the position encoding that is added to queries and keys; None without.
    """

    layer: SelfAttention
    tokens: Tensor
    pos: Tensor | None

    def in_float32(self) -> AttentionInput:
        """The same in single precision; the layer computes in that of its input."""
        return AttentionInput(self.layer, self.tokens.float(), None if self.pos is None else self.pos.float())

    def part(self, samples: slice) -> AttentionInput:
        """What the layer was given of some of the batch's images."""
        return replace(self, tokens=self.tokens[samples])

    def query_rows(self, numbers: Tensor) -> Tensor:
        """Compute the queries of tokens ``numbers`` (B, Q): (B, heads, Q, c), float32."""
        x, pos = self.tokens.float(), self.pos
        own = None if pos is None else take_tokens(pos.float().expand_as(x), numbers)
        return self.layer.query(take_tokens(x, numbers), own)

    def all_keys(self) -> Tensor:
        """Compute the keys of all tokens: (B, heads, N, c), float32."""
        return self.layer.key(self.tokens.float(), None if self.pos is None else self.pos.float())


def take_tokens(x: Tensor, numbers: Tensor) -> Tensor:
    """Take tokens ``numbers`` (B, Q) of ``x`` (B, N, d): (B, Q, d)."""
    return x.gather(1, numbers.unsqueeze(-1).expand(-1, -1, x.shape[-1]))


@contextmanager
def recorded_attention(encoder: nn.Module) -> Iterator[list[AttentionInput]]:
    """Record the input of every attention layer of ``encoder`` that runs inside the ``with`` block, in order.

    The network computes what it always does. The hooks are removed when the block ends, after an error too.
    """
    records: list[AttentionInput] = []

    def record(layer: nn.Module, args: tuple, kwargs: dict) -> None:
        assert isinstance(layer, SelfAttention)
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
def evaluating(model: PoseEstimator) -> Iterator[None]:
    """Put a model into evaluation mode inside the ``with`` block, and each of its modules back into its own mode."""
    training = {module: module.training for _, module in model.named_modules()}
    model.eval()
    try:
        yield
    finally:
        for module, mode in training.items():
            module.training = mode


@dataclass
class RecordedForward:
    """What was recorded in one pass of the network.

    Attributes:
        records (list[AttentionInput]): One for each encoder layer, in order.
        features (Tensor): (B, d, h, w), the encoded tokens.
        heatmaps (Tensor): (B, K, H, W).
    """

    records: list[AttentionInput]
    features: Tensor
    heatmaps: Tensor

    @property
    def grid(self) -> tuple[int, int]:
        """Token grid (h, w)."""
        return map_size(self.features)

    def halves(self) -> tuple[RecordedForward, RecordedForward]:
        """What was recorded of each half of the batch."""
        half = self.heatmaps.shape[0] // 2  # slices: a chunk of a batch of any size cannot be exported
        return self._part(slice(half)), self._part(slice(half, None))

    def _part(self, samples: slice) -> RecordedForward:
        records = [record.part(samples) for record in self.records]
        return RecordedForward(records, self.features[samples], self.heatmaps[samples])


@torch.no_grad()
def recorded_forward(model: PoseEstimator, inputs: Tensor) -> RecordedForward:
    """Run the network once, as always but in evaluation mode, and keep what its attention layers were given.

    Args:
        model (PoseEstimator): One that :func:`require_transpose` accepts; it is not checked here again.
        inputs (Tensor): (B, 3, H, W), as the network takes them (normalised).

    Raises:
        UnsupportedModelError: A layer did not run where it could be recorded.
    """
    with evaluating(model):
        records, features = _record(model, inputs)
        return RecordedForward(records, features[-1], model.head.forward(features))


@torch.no_grad()
def recorded_layers(model: PoseEstimator, inputs: Tensor) -> tuple[list[AttentionInput], tuple[int, int]]:
    """Run the network without the head; returns what its attention layers were given, and the token grid (h, w)."""
    with evaluating(model):
        records, features = _record(model, inputs)
    return records, map_size(features[-1])


def _record(model: PoseEstimator, inputs: Tensor) -> tuple[list[AttentionInput], tuple[Tensor, ...]]:
    encoder = model.neck.encoder
    with recorded_attention(encoder) as records:
        features = model.extract_feat(inputs)
    expected = sum(isinstance(module, SelfAttention) for module in encoder.modules())
    if len(records) != expected:
        raise UnsupportedModelError(
            f'{len(records)} of {expected} attention layers ran where they could be recorded: {CANNOT_BE_READ}'
        )
    return records, features
