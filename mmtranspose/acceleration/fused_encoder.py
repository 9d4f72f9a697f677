"""TransPose's neck for inference: fused projections, and position tables that are computed once for a token grid.

In each attention layer, queries and keys come from ``x + pos`` and values from ``x``. The three products are computed
as one product and one sum,

    (x + pos) Wq + bq | (x + pos) Wk + bk | x Wv + bv  =  x [Wq Wk Wv] + [pos Wq + bq, pos Wk + bk, bv],

where the last bracket depends on the token grid only: it is the layer's *table*.
"""

from __future__ import annotations

import copy
from functools import lru_cache
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmtranspose.errors import UnsupportedModelError
from mmtranspose.models.layers import EncoderLayer, SelfAttention, TransformerEncoder
from mmtranspose.models.necks import TransPoseNeck

ROWS_AT_ONCE = 512  # rows of the attention matrix that fit into a processor's cache
WIDE_HEAD = 64  # channels of a head from which bfloat16 products are worth their overhead
GRIDS = 4  # number of token grids whose tables are kept


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Compute ``scaled_dot_product_attention`` without mask or dropout, as fast as device and dtype allow.

    PyTorch's CPU kernel takes as long in bfloat16 as in float32. If heads are wide (TransPose-H), products of blocks of
    rows use the processor's bfloat16 units, with an error like that of PyTorch's kernel (0.02 of the range of H-A6's
    heatmaps). Compiled code always calls PyTorch's function, for which the batch size can stay open.

    Args:
        q, k, v (Tensor): Queries, keys and values, each (B, heads, N, d / heads).

    Returns:
        Tensor: (B, heads, N, d / heads).
    """
    in_blocks = q.device.type == 'cpu' and q.dtype == torch.bfloat16 and q.shape[-1] >= WIDE_HEAD
    if not in_blocks or torch.compiler.is_compiling():
        return F.scaled_dot_product_attention(q, k, v)
    out = torch.empty_like(q.transpose(1, 2)).transpose(1, 2)  # (B, N, heads, d / heads) in memory, as it is read next
    for one_q, one_k, one_v, one_out in zip(q, k, v, out):
        keys = one_k.mT * q.shape[-1] ** -0.5
        for rows, result in zip(one_q.split(ROWS_AT_ONCE, dim=1), one_out.split(ROWS_AT_ONCE, dim=1)):
            result.copy_((rows @ keys).softmax(-1) @ one_v)
    return out


class FusedEncoderLayer(nn.Module):
    """An :class:`EncoderLayer` for inference, whose projections are one product plus the layer's table.

    Args:
        layer (EncoderLayer): Copied, not changed.
        dtype (torch.dtype): Of the weights and of what :meth:`forward` computes; tables are computed in float32.
    """

    table_weight: Tensor
    table_bias: Tensor

    def __init__(self, layer: EncoderLayer, dtype: torch.dtype):
        super().__init__()
        attention = layer.self_attn
        self.num_heads = attention.num_heads
        weight = attention.in_proj_weight.detach().to(torch.float32, copy=True)
        self.in_proj_weight = nn.Parameter(weight.to(dtype), requires_grad=False)  # (3 d, d)
        self.register_buffer('table_weight', weight[: 2 * attention.embed_dims], persistent=False)
        self.register_buffer('table_bias', attention.in_proj_bias.detach().float().clone(), persistent=False)
        self.linear1 = copy.deepcopy(layer.linear1).to(dtype)
        self.linear2 = copy.deepcopy(layer.linear2).to(dtype)
        self.norm1 = copy.deepcopy(layer.norm1).to(dtype)
        self.norm2 = copy.deepcopy(layer.norm2).to(dtype)
        self.out_proj = copy.deepcopy(attention.out_proj).to(dtype)

    def table(self, pos: Tensor | None) -> Tensor:
        """Compute what is added to the projected tokens.

        Args:
            pos (Tensor | None): Position embedding (N, d), float32.

        Returns:
            Tensor: (N, 3 d), or (3 d,) without positions; in the dtype of the weights.
        """
        if pos is None:
            return self.table_bias.to(self.in_proj_weight.dtype)
        table = self.table_bias.repeat(len(pos), 1)
        table[:, : len(self.table_weight)] += F.linear(pos, self.table_weight)
        return table.to(self.in_proj_weight.dtype)

    def forward(self, x: Tensor, table: Tensor) -> Tensor:
        """Encode tokens (B, N, d) -> (B, N, d), with the :meth:`table` of the token grid."""
        qkv = F.linear(x, self.in_proj_weight).add_(table)
        qkv = qkv.unflatten(-1, (3, self.num_heads, -1)).permute(2, 0, 3, 1, 4)
        q, k, v = qkv.unbind(0)  # each (B, heads, N, d / heads)
        attended = attend(q, k, v).transpose(1, 2).flatten(2)
        x = self.norm1(self.out_proj(attended).add_(x))
        return self.norm2(self.linear2(F.relu_(self.linear1(x))).add_(x))


class FusedEncoder(nn.Module):
    """A :class:`TransformerEncoder` for inference, made of :class:`FusedEncoderLayer`.

    Args:
        encoder (TransformerEncoder): Copied, not changed.
        dtype (torch.dtype): As in the layer.

    Raises:
        UnsupportedModelError: A layer or its attention is of a subclass, which may compute something else.
    """

    def __init__(self, encoder: TransformerEncoder, dtype: torch.dtype):
        super().__init__()
        self.layers = nn.ModuleList()
        for index, layer in enumerate(encoder.layers):
            if type(layer) is not EncoderLayer or type(layer.self_attn) is not SelfAttention:
                raise UnsupportedModelError(
                    f'model.neck.encoder.layers.{index} is a {type(layer).__name__} with a '
                    f'{type(layer.self_attn).__name__}, which cannot be fused: accelerate with fuse_encoder=False'
                )
            self.layers.append(FusedEncoderLayer(layer, dtype))

    def tables(self, pos: Tensor | None) -> tuple[Tensor, ...]:
        """Compute each layer's table of the positions (N, d), float32, or None."""
        return tuple(cast(FusedEncoderLayer, layer).table(pos) for layer in self.layers)

    def forward(self, x: Tensor, tables: tuple[Tensor, ...]) -> Tensor:
        """Encode tokens (B, N, d) -> (B, N, d), with the :meth:`tables` of the token grid."""
        for layer, table in zip(self.layers, tables, strict=True):
            x = layer(x, table)
        return x


class PlainEncoder(nn.Module):
    """A :class:`TransformerEncoder` as it is, with the interface of :class:`FusedEncoder`.

    Args:
        encoder (TransformerEncoder): Copied, not changed.
        dtype (torch.dtype): Of the weights.
    """

    def __init__(self, encoder: TransformerEncoder, dtype: torch.dtype):
        super().__init__()
        self.encoder = copy.deepcopy(encoder).to(dtype)
        self.dtype = dtype

    def tables(self, pos: Tensor | None) -> tuple[Tensor, ...]:
        """Return the positions (N, d) themselves, in the weights' dtype; nothing without positions."""
        return () if pos is None else (pos.to(self.dtype),)

    def forward(self, x: Tensor, tables: tuple[Tensor, ...]) -> Tensor:
        """Encode tokens (B, N, d) -> (B, N, d), with the :meth:`tables` of the token grid."""
        return self.encoder(x, *tables)


class AcceleratedNeck(nn.Module):
    """A :class:`TransPoseNeck` for inference, with tables that are computed once for each token grid.

    The tables of the last four token grids are kept. :meth:`encode` is given the tables, so that code seen by
    torch.compile or recorded in a CUDA graph looks nothing up.

    Args:
        neck (TransPoseNeck): Copied, not changed.
        dtype (torch.dtype): Of the weights and features.
        fuse_encoder (bool): Use :class:`FusedEncoder`; otherwise the encoder as it is.
    """

    def __init__(self, neck: TransPoseNeck, dtype: torch.dtype, fuse_encoder: bool):
        super().__init__()
        projection = copy.deepcopy(neck.projection).to(dtype)
        positions = copy.deepcopy(neck.position_encoding)
        encoder: FusedEncoder | PlainEncoder = (FusedEncoder if fuse_encoder else PlainEncoder)(neck.encoder, dtype)
        self.projection, self.position_encoding, self.encoder = projection, positions, encoder

        # A function of the parts, not of the neck: a cached method would keep the neck alive.
        @lru_cache(maxsize=GRIDS)
        def tables(grid: tuple[int, int]) -> tuple[Tensor, ...]:
            with torch.inference_mode(False), torch.no_grad():
                like = projection.weight.new_empty(0, dtype=torch.float32)
                return encoder.tables(None if positions is None else positions(grid, like=like))

        self._tables = tables

    def tables(self, grid: tuple[int, int]) -> tuple[Tensor, ...]:
        """The encoder's tables for the token grid (h, w)."""
        return self._tables(grid)

    def encode(self, feats: tuple[Tensor, ...], tables: tuple[Tensor, ...]) -> tuple[Tensor]:
        """Encode the last feature map (B, C, h, w) with the :meth:`tables` of (h, w).

        Returns:
            tuple[Tensor]: One feature map, (B, d, h, w).
        """
        x = self.projection(feats[-1])
        tokens = self.encoder(x.flatten(2).transpose(1, 2), tables)
        return (tokens.transpose(1, 2).unflatten(-1, x.shape[-2:]),)

    def forward(self, feats: tuple[Tensor, ...]) -> tuple[Tensor]:
        """Encode the last feature map, as :class:`TransPoseNeck` does."""
        height, width = feats[-1].shape[-2:]
        return self.encode(feats, self.tables((height, width)))
