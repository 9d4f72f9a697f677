"""Attention weighted by the values that it moves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from mmtranspose.explain.attention import dependency_rows, flat_indices, head_values
from mmtranspose.explain.methods.base import Method, layer_record
from mmtranspose.explain.recording import AttentionInput
from mmtranspose.explain.target import Target
from mmtranspose.typing import PoseEstimator

BLOCK_ELEMENTS = 2**23  # of the moved vectors held at a time: 32 MiB in float32


@dataclass
class AttentionNorm(Method):
    """Length of what each token hands to the target's cells (Kobayashi et al., EMNLP 2020, arXiv 2004.10102).

    A layer's output at cell i is the sum over tokens j, and over heads, of attention times the token's value through
    the output projection. The map is the length of each token's part, weighted over the target's cells. Attention alone
    counts a token fully though its value may be next to nothing.

    Args:
        layer (int): From 1 to the number of encoder layers.
    """

    layer: int
    reads_attention: ClassVar[bool] = True

    @property
    def name(self) -> str:
        """``attention-norm-1``, ``attention-norm-2``, ..."""
        return f'attention-norm-{self.layer}'

    @torch.no_grad()
    def maps(self, model: PoseEstimator, inputs: Tensor, target: Target) -> Tensor:
        """The maps (B, K, h, w).

        Raises:
            InputError: The encoder has fewer layers.
        """
        record = layer_record(model, inputs, self.layer)
        cells = flat_indices(target.cells.flatten(1, 2), target.grid, len(inputs))
        return target.pooled(moved_lengths(record, cells).unflatten(-1, target.grid).unsqueeze(0))[0]


def moved_lengths(record: AttentionInput, tokens: Tensor) -> Tensor:
    """Compute how long a vector each token hands to tokens (B, Q), all heads together: (B, Q, N), float32."""
    weights = dependency_rows(record, tokens)  # (B, heads, Q, N)
    values = head_values(record)  # (B, heads, N, c)
    projection = record.layer.out_proj.weight.float().unflatten(1, (values.shape[1], -1))  # (d, heads, c)
    projected = torch.einsum('bhnc,dhc->bhnd', values, projection)
    rows = max(1, BLOCK_ELEMENTS // (len(tokens) * projected[0, 0].numel()))
    blocks = [torch.einsum('bhqn,bhnd->bqnd', block, projected).norm(dim=-1) for block in weights.split(rows, dim=2)]
    return torch.cat(blocks, dim=1)
