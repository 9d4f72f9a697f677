"""Functions of earlier releases over a checkpoint's content; this path goes with the next release.

:class:`mmtranspose.loading.checkpoint.Checkpoint` has taken their place.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from mmtranspose.loading.checkpoint import ADVICE, Checkpoint

__all__ = ['ADVICE', 'meta_of', 'read_checkpoint', 'require_match', 'require_resumable', 'weights_of']


def read_checkpoint(filename: str, allow_non_finite: bool = False) -> dict[str, Any]:
    """``Checkpoint.read(filename, allow_non_finite).content``, whose weights are those that were written."""
    checkpoint = Checkpoint.read(filename, allow_non_finite)
    checkpoint.require_as_written()
    return checkpoint.content


def weights_of(checkpoint: dict[str, Any], filename: str) -> dict[str, Tensor]:
    """``Checkpoint.weights``."""
    return Checkpoint(filename, checkpoint).weights


def meta_of(checkpoint: dict[str, Any]) -> dict[str, Any]:
    """``Checkpoint.meta``."""
    return Checkpoint('', checkpoint).meta


def require_match(
    model: nn.Module, checkpoint: dict[str, Any], filename: str, allow_partial: bool = False, advice: str = ADVICE
) -> None:
    """``Checkpoint.require_match(model, ...)``."""
    Checkpoint(filename, checkpoint).require_match(model, allow_partial, advice)


def require_resumable(checkpoint: dict[str, Any], filename: str) -> None:
    """``Checkpoint.require_resumable()``."""
    Checkpoint(filename, checkpoint).require_resumable()
