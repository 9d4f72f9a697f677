"""Interventions as methods: what a keypoint loses without a token, or without the edges to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

from torch import Tensor

from mmtranspose.errors import require_at_least
from mmtranspose.explain.interventions import edge_knockout, token_ablation
from mmtranspose.explain.interventions.ablated_tokens import Progress
from mmtranspose.explain.interventions.perturbed_encoder import Encoder
from mmtranspose.explain.methods.base import Method
from mmtranspose.explain.target import Target
from mmtranspose.typing import PoseEstimator


@dataclass
class TokenAblation(Method):
    """The drop of the peak's value when a token is replaced by the mean of all (:func:`token_ablation`).

    It takes a pass of the encoder for each token, or for each square of tokens.

    Args:
        stride (int): Side of the squares of tokens that are replaced together.
        batch_size (int): Passes computed together.
        encoder_of (Callable | None): From the model that is explained to a faster double of its encoder (see
            :func:`token_ablation`), or to None where it has none: ``mmtranspose.acceleration.OpenVinoEncoders()``.
        progress (Callable | None): Told the share of a batch's passes that is done.

    Raises:
        InputError: ``stride`` or ``batch_size`` is below 1.
    """

    name: ClassVar[str] = 'token-ablation'
    reads_attention: ClassVar[bool] = True
    stride: int = 1
    batch_size: int = 32
    encoder_of: Callable[[PoseEstimator], Encoder | None] | None = field(default=None, repr=False)
    progress: Progress | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        require_at_least('stride', self.stride, 1)
        require_at_least('batch_size', self.batch_size, 1)

    def maps(self, model: PoseEstimator, inputs: Tensor, target: Target) -> Tensor:
        """The maps (B, K, h, w)."""
        return token_ablation(
            model,
            inputs,
            target.peaks,
            stride=self.stride,
            encoder=self.encoder_of and self.encoder_of(model),
            batch_size=self.batch_size,
            progress=self.progress,
        )


@dataclass
class EdgeKnockout(Method):
    """The drop of the peak's value when the last layer may not attend to a token (:func:`edge_knockout`)."""

    name: ClassVar[str] = 'edge-knockout'
    reads_attention: ClassVar[bool] = True

    def maps(self, model: PoseEstimator, inputs: Tensor, target: Target) -> Tensor:
        """The maps (B, K, h, w)."""
        return edge_knockout(model, inputs, target.peaks)
