"""Rows and columns of attention matrices, without the matrices.

Section 3.3 of the TransPose paper (arXiv 2012.14214): row i of a layer's attention shows the places that cell i's
prediction depends on, column j the places that cell j affects.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from mmtranspose.explain.recording import AttentionInput, evaluating, recorded_attention
from mmtranspose.models.necks import TransPoseNeck

BLOCK_ELEMENTS = 2**24  # of one block of attention held while columns are normalised: 64 MiB in float32


@torch.no_grad()
def attention_maps(
    model: nn.Module,
    inputs: Tensor,
    cells: Tensor,
    direction: str = 'dependency',
    heads: str = 'mean',
) -> Tensor:
    """Attention of every encoder layer from, or to, chosen cells.

    The network runs once as always, with fused attention; then only what is asked for is computed, in float32:
    O(Q N) for rows, and for columns each row's normaliser in blocks. No N x N matrix is held.

    Args:
        model (nn.Module): A pose estimator whose neck is a :class:`TransPoseNeck`.
        inputs (Tensor): (B, 3, H, W), as the network takes them (normalised).
        cells (Tensor): (B, Q, 2), integer (row, col) of the token grid (h, w).
        direction (str): ``'dependency'``: rows, where cell q looks; each map sums to 1. ``'affect'``: columns, which
            cells look at q.
        heads (str): ``'mean'`` averages the heads, as the paper does; ``'all'`` keeps them.

    Returns:
        Tensor: (L, B, Q, h, w), or (L, B, heads, Q, h, w) for ``heads='all'``; float32.

    Raises:
        TypeError: The model has no :class:`TransPoseNeck`, or ``cells`` is not integer.
        ValueError: ``cells`` has another shape or lies outside the grid; ``direction`` or ``heads`` is unknown.
    """
    if direction not in ('dependency', 'affect'):
        raise ValueError(f"direction={direction!r} is unknown; choose 'dependency' or 'affect'")
    if heads not in ('mean', 'all'):
        raise ValueError(f"heads={heads!r} is unknown; choose 'mean' or 'all'")
    if not isinstance(getattr(model, 'neck', None), TransPoseNeck):
        raise TypeError(f'{type(model).__name__} has no TransPoseNeck whose attention could be read')
    with evaluating(model), recorded_attention(model.neck.encoder) as records:
        (features,) = model.extract_feat(inputs)
    grid = tuple(features.shape[-2:])
    tokens = _flat_indices(cells.to(features.device), grid, len(inputs))
    compute = dependency_rows if direction == 'dependency' else affect_columns
    maps = torch.stack([compute(record, tokens) for record in records])  # (L, B, heads, Q, N)
    return (maps.mean(2) if heads == 'mean' else maps).unflatten(-1, grid)


def dependency_rows(record: AttentionInput, tokens: Tensor) -> Tensor:
    """Rows ``tokens`` (B, Q) of a layer's attention: (B, heads, Q, N), each summing to 1."""
    q, k = _scaled_query_key(record)
    return (_take(q, tokens) @ k.transpose(-1, -2)).softmax(-1)


def affect_columns(record: AttentionInput, tokens: Tensor) -> Tensor:
    """Columns ``tokens`` (B, Q) of a layer's attention: (B, heads, Q, N)."""
    q, k = _scaled_query_key(record)
    logits = q @ _take(k, tokens).transpose(-1, -2)  # (B, heads, N, Q)
    return (logits - _log_normaliser(q, k)).exp().transpose(-1, -2)


def _log_normaliser(q: Tensor, k: Tensor) -> Tensor:
    """log of each attention row's denominator, (B, heads, N, 1), over blocks of rows."""
    rows = max(1, BLOCK_ELEMENTS // (q.shape[0] * q.shape[1] * k.shape[2]))
    blocks = [(block @ k.transpose(-1, -2)).logsumexp(-1, keepdim=True) for block in q.split(rows, dim=2)]
    return torch.cat(blocks, dim=2)


def _scaled_query_key(record: AttentionInput) -> tuple[Tensor, Tensor]:
    tokens = record.tokens
    pos = None if record.pos is None else record.pos.float()
    with torch.autocast(tokens.device.type, enabled=False):
        half = record.layer.in_proj_weight.dtype != torch.float32
        layer = copy.deepcopy(record.layer).float() if half else record.layer
        q, k = layer.query_key(tokens.float(), pos)
    return q * q.shape[-1] ** -0.5, k


def _take(x: Tensor, tokens: Tensor) -> Tensor:
    """Tokens (B, Q) of ``x`` (B, heads, N, c): (B, heads, Q, c)."""
    index = tokens[:, None, :, None].expand(-1, x.shape[1], -1, x.shape[-1])
    return x.gather(2, index)


def _flat_indices(cells: Tensor, grid: tuple[int, int], batch: int) -> Tensor:
    """(B, Q, 2) cells to (B, Q) row-major token numbers, checked."""
    if cells.is_floating_point() or cells.dtype == torch.bool:
        raise TypeError(f'cells must be integer (row, col), not {cells.dtype}')
    if cells.dim() != 3 or cells.shape[0] != batch or cells.shape[-1] != 2:
        raise ValueError(f'cells must have shape ({batch}, Q, 2), not {tuple(cells.shape)}')
    h, w = grid
    row, col = cells.long().unbind(-1)
    outside = (row < 0) | (row >= h) | (col < 0) | (col >= w)
    if outside.any():
        raise ValueError(f'cell {cells[outside][0].tolist()} lies outside the token grid of {h} rows and {w} columns')
    return row * w + col
