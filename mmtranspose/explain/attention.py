"""Rows and columns of attention matrices, computed without holding the matrices.

Section 3.3 of the TransPose paper (arXiv 2012.14214): row i of a layer's attention shows the places that the prediction
at cell i depends on, column j the places that cell j affects.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mmtranspose.errors import InputError, require_choice
from mmtranspose.explain.recording import AttentionInput, recorded_layers, require_inputs, require_transpose
from mmtranspose.explain.target import Target
from mmtranspose.typing import PoseEstimator

DIRECTIONS = ('dependency', 'affect')
HEADS = ('mean', 'all')
BLOCK_ELEMENTS = 2**22  # of one block of attention held while columns are normalised: 16 MiB in float32


@torch.no_grad()
def attention_maps(
    model: PoseEstimator,
    inputs: Tensor,
    cells: Tensor,
    direction: str = 'dependency',
    heads: str = 'mean',
) -> Tensor:
    """Compute the attention of every encoder layer from, or to, chosen cells.

    The network runs once as always, with fused attention. Then only the rows or columns asked for are computed, in
    float32: O(Q N) for rows; for columns, each row's normaliser in blocks. No N x N matrix is held. The model is left
    as it was.

    Args:
        model (PoseEstimator): A pose estimator whose neck is a :class:`TransPoseNeck`.
        inputs (Tensor): (B, 3, H, W), as the network takes them (normalised).
        cells (Tensor): (B, Q, 2), integer (row, col) of the token grid (h, w).
        direction (str): ``'dependency'``: rows, the places that cell q attends to; each map sums to 1. ``'affect'``:
            columns, the places that attend to cell q.
        heads (str): ``'mean'`` averages the heads, as the paper does; ``'all'`` keeps them.

    Returns:
        Tensor: (L, B, Q, h, w), or (L, B, heads, Q, h, w) for ``heads='all'``; float32.

    Raises:
        UnsupportedModelError: The attention of the model cannot be read; see :func:`require_transpose`.
        InputError: ``inputs`` have another shape or are not finite; ``cells`` is not integer, has another shape or lies
            outside the grid; ``direction`` or ``heads`` is unknown.
    """
    require_transpose(model)
    require_inputs(inputs)
    _check_options(direction, heads)
    records, grid = recorded_layers(model, inputs)
    return maps_from(records, cells, grid, direction, heads)


def target_maps(
    records: Sequence[AttentionInput], target: Target, direction: str = 'dependency', heads: str = 'mean'
) -> Tensor:
    """Compute the attention of every recorded layer from, or to, the peaks of a target.

    Returns:
        Tensor: (L, B, K, h, w), or (L, B, heads, K, h, w): for each peak the maps of its cells, summed by their
        weights.
    """
    return target.pooled(maps_from(records, target.cells.flatten(1, 2), target.grid, direction, heads))


@torch.no_grad()
def maps_from(
    records: Sequence[AttentionInput],
    cells: Tensor,
    grid: tuple[int, int],
    direction: str = 'dependency',
    heads: str = 'mean',
) -> Tensor:
    """Compute :func:`attention_maps` of layers whose inputs were recorded before."""
    _check_options(direction, heads)
    tokens = flat_indices(cells.to(records[0].tokens.device), grid, records[0].tokens.shape[0])
    compute = dependency_rows if direction == 'dependency' else affect_columns
    layers = []
    with torch.autocast(tokens.device.type, enabled=False):
        for record in records:
            maps = compute(record, tokens)  # (B, heads, Q, N)
            layers.append(maps.mean(1) if heads == 'mean' else maps)
    return torch.stack(layers).unflatten(-1, grid)


def _check_options(direction: str, heads: str) -> None:
    require_choice('direction', direction, DIRECTIONS)
    require_choice('heads', heads, HEADS)


def dependency_rows(record: AttentionInput, tokens: Tensor) -> Tensor:
    """Rows ``tokens`` (B, Q) of a layer's attention: (B, heads, Q, N), each summing to 1."""
    return (_scaled(record.query_rows(tokens)) @ record.all_keys().transpose(-1, -2)).softmax(-1)


def affect_columns(record: AttentionInput, tokens: Tensor) -> Tensor:
    """Columns ``tokens`` (B, Q) of a layer's attention: (B, heads, Q, N)."""
    q, k = scaled_query_key(record)
    index = tokens[:, None, :, None].expand(-1, k.shape[1], -1, k.shape[-1])
    logits = q @ k.gather(2, index).transpose(-1, -2)  # (B, heads, N, Q)
    return (logits - _log_normaliser(q, k)).exp().transpose(-1, -2)


def _log_normaliser(q: Tensor, k: Tensor) -> Tensor:
    """log of each attention row's denominator, (B, heads, N, 1), over blocks of rows."""
    rows = max(1, BLOCK_ELEMENTS // (q.shape[0] * q.shape[1] * k.shape[2]))
    blocks = [(block @ k.transpose(-1, -2)).logsumexp(-1, keepdim=True) for block in q.split(rows, dim=2)]
    return torch.cat(blocks, dim=2)


def scaled_query_key(record: AttentionInput) -> tuple[Tensor, Tensor]:
    """Queries, divided by the root of their channels, and keys of a layer, each (B, heads, N, c), float32.

    ``(q @ k.transpose(-1, -2)).softmax(-1)`` is the layer's attention.
    """
    record = record.in_float32()
    x, pos = record.tokens, record.pos
    return _scaled(record.layer.query(x, pos)), record.layer.key(x, pos)


def head_values(record: AttentionInput) -> Tensor:
    """Values of a layer, (B, heads, N, c), float32: the output of its heads is attention times these."""
    return record.layer.value(record.in_float32().tokens)


def _scaled(q: Tensor) -> Tensor:
    return q * q.shape[-1] ** -0.5


def flat_indices(cells: Tensor, grid: tuple[int, int], batch: int) -> Tensor:
    """Convert cells (B, Q, 2), integer (row, col), to numbers of tokens (B, Q), row by row.

    Raises:
        InputError: They are not integer, not of ``batch`` images, or outside the grid.
    """
    if cells.is_floating_point() or cells.dtype == torch.bool:
        raise InputError(f'cells must be integer (row, col), not {cells.dtype}')
    if cells.dim() != 3 or cells.shape[0] != batch or cells.shape[-1] != 2:
        raise InputError(f'cells must have shape ({batch}, Q, 2), not {tuple(cells.shape)}')
    h, w = grid
    row, col = cells.long().unbind(-1)
    if torch.compiler.is_compiling():  # values are not known while a graph is traced
        return row * w + col
    outside = (row < 0) | (row >= h) | (col < 0) | (col >= w)
    if outside.any():
        raise InputError(f'cell {cells[outside][0].tolist()} lies outside the token grid of {h} rows and {w} columns')
    return row * w + col
