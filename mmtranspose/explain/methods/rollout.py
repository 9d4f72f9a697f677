"""Attention rollout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from mmtranspose.explain.methods.base import Method
from mmtranspose.explain.methods.row_product import row_product, target_rows
from mmtranspose.explain.recording import recorded_forward
from mmtranspose.explain.target import Target


@dataclass
class Rollout(Method):
    """Attention followed through all layers (Abnar and Zuidema, ACL 2020, arXiv 2005.00928).

    A layer hands on half of what it gets through its residual connection and half through its head-averaged attention
    A: ``A_hat = 0.5 A + 0.5 I``, whose rows sum to 1 as those of A do. The map is the target's rows of
    ``A_hat_L ... A_hat_1``, weighted; it sums to 1. Only these rows are carried, from the last layer to the first.
    """

    name: ClassVar[str] = 'rollout'

    def maps(self, model: nn.Module, inputs: Tensor, target: Target) -> Tensor:
        rows = target_rows(target)
        for record in reversed(recorded_forward(model, inputs, with_heatmaps=False).records):
            rows = 0.5 * rows + 0.5 * row_product(record, rows)
            rows /= rows.sum(-1, keepdim=True)
        return rows.unflatten(-1, target.grid)
