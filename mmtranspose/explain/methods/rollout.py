"""Attention rollout, and products of row vectors with attention matrices that are never held."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from mmtranspose.explain.attention import scaled_query_key
from mmtranspose.explain.methods.base import Method
from mmtranspose.explain.recording import AttentionInput, recorded_layers
from mmtranspose.explain.target import Target
from mmtranspose.typing import PoseEstimator

BLOCK_ELEMENTS = 2**21  # of one block of the matrix: 8 MiB in float32, which a processor's cache can hold


@dataclass
class Rollout(Method):
    """Attention followed through all layers (Abnar and Zuidema, ACL 2020, arXiv 2005.00928).

    A layer hands on half of its input through its residual connection and half through its head-averaged attention A:
    ``A_hat = 0.5 A + 0.5 I``, whose rows sum to 1 as those of A do. The map is the target's rows of
    ``A_hat_L ... A_hat_1``, weighted; it sums to 1. Only these rows are computed, from the last layer to the first.
    """

    name: ClassVar[str] = 'rollout'
    reads_attention: ClassVar[bool] = True

    def maps(self, model: PoseEstimator, inputs: Tensor, target: Target) -> Tensor:
        """The maps (B, K, h, w)."""
        records, _ = recorded_layers(model, inputs)
        rows = target_rows(target)
        for record in reversed(records):
            rows = 0.5 * rows + 0.5 * row_product(record, rows)
            rows /= rows.sum(-1, keepdim=True)
        return rows.unflatten(-1, target.grid)


def target_rows(target: Target) -> Tensor:
    """Make row vectors with the target's weights at its cells and 0 elsewhere: (B, K, N), float32."""
    h, w = target.grid
    row, col = target.cells.unbind(-1)
    return target.weights.new_zeros(*target.peaks.shape[:2], h * w).scatter_add_(-1, row * w + col, target.weights)


@torch.no_grad()
def row_product(
    record: AttentionInput,
    rows: Tensor,
    weigh: Callable[[Tensor, Tensor], Tensor] | None = None,
) -> Tensor:
    """Compute ``rows @ mean over heads of A``, where A is a layer's attention or what ``weigh`` makes of it.

    Only the rows of the matrix that ``rows`` gives any weight are computed, a block at a time; in float32.

    Args:
        record (AttentionInput): What the layer was given.
        rows (Tensor): (B, K, N), float32.
        weigh (Callable | None): From rows of attention (B, 1, heads, R, N) and their numbers (R,) to the rows of a
            matrix for each keypoint, (B, K, heads, R, N).

    Returns:
        Tensor: (B, K, N).
    """
    with torch.autocast(rows.device.type, enabled=False):
        q, k = scaled_query_key(record)
        product = torch.zeros_like(rows)
        reached = (rows != 0).flatten(0, 1).any(0).nonzero().squeeze(-1)
        for tokens in reached.split(_rows_a_block(rows, q.shape[1], each_keypoint=weigh is not None)):
            matrix = (q[:, :, tokens] @ k.transpose(-1, -2)).softmax(-1).unsqueeze(1)
            matrix = (matrix if weigh is None else weigh(matrix, tokens)).mean(2)  # (B, 1 or K, R, N)
            weights = rows[..., tokens].unflatten(1, (matrix.shape[1], -1))
            product += (weights @ matrix).flatten(1, 2)
    return product


def _rows_a_block(rows: Tensor, heads: int, each_keypoint: bool) -> int:
    batch, keypoints, tokens = rows.shape
    return max(1, BLOCK_ELEMENTS // (batch * heads * tokens * (keypoints if each_keypoint else 1)))
