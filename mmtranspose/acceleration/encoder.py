"""The Transformer encoder with one projection a layer for queries, keys and values."""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmtranspose.acceleration.block_attention import attend
from mmtranspose.models.layers import EncoderLayer, SelfAttention, TransformerEncoder


class FusedEncoderLayer(nn.Module):
    """An :class:`EncoderLayer` for inference.

    Queries and keys of ``x + pos`` and values of ``x`` are one product and one sum,
    ``(x + pos) Wq + bq | (x + pos) Wk + bk | x Wv + bv = x [Wq Wk Wv] + [pos Wq + bq, pos Wk + bk, bv]``: the last
    bracket depends on the token grid alone and comes in as a table.

    Args:
        layer (EncoderLayer): Copied, not changed.
        dtype (torch.dtype): Of the weights and of what :meth:`forward` computes; tables are computed in float32.
    """

    def __init__(self, layer: EncoderLayer, dtype: torch.dtype):
        super().__init__()
        attention = layer.self_attn
        self.num_heads = attention.num_heads
        weight = attention.in_proj_weight.detach().to(torch.float32, copy=True)
        self.in_proj_weight = nn.Parameter(weight.to(dtype), requires_grad=False)  # (3 d, d)
        self.register_buffer('table_weight', weight[: 2 * attention.embed_dims], persistent=False)
        self.register_buffer('table_bias', attention.in_proj_bias.detach().float().clone(), persistent=False)
        for name in ('linear1', 'linear2', 'norm1', 'norm2'):
            self.add_module(name, copy.deepcopy(getattr(layer, name)).to(dtype))
        self.out_proj = copy.deepcopy(attention.out_proj).to(dtype)

    def table(self, pos: Tensor | None) -> Tensor:
        """What is added to the projected tokens: (N, 3 d) of positions (N, d) in float32; (3 d,) where there are none.

        It has the dtype of the weights.
        """
        if pos is None:
            return self.table_bias.to(self.in_proj_weight.dtype)
        table = self.table_bias.repeat(len(pos), 1)
        table[:, : len(self.table_weight)] += F.linear(pos, self.table_weight)
        return table.to(self.in_proj_weight.dtype)

    def forward(self, x: Tensor, table: Tensor) -> Tensor:
        """(B, N, d) -> (B, N, d), with the :meth:`table` of the token grid."""
        qkv = F.linear(x, self.in_proj_weight).add_(table)
        qkv = qkv.unflatten(-1, (3, self.num_heads, -1)).permute(2, 0, 3, 1, 4)
        q, k, v = qkv.unbind(0)  # each (B, heads, N, d / heads)
        attended = attend(q, k, v).transpose(1, 2).flatten(2)
        x = self.norm1(self.out_proj(attended).add_(x))
        return self.norm2(self.linear2(F.relu_(self.linear1(x))).add_(x))


class FusedEncoder(nn.Module):
    """A :class:`TransformerEncoder` of :class:`FusedEncoderLayer`.

    Args:
        encoder (TransformerEncoder): Copied, not changed.
        dtype (torch.dtype): As in the layer.

    Raises:
        TypeError: A layer is not the one that is fused.
    """

    def __init__(self, encoder: TransformerEncoder, dtype: torch.dtype):
        super().__init__()
        for index, layer in enumerate(encoder.layers):
            if type(layer) is not EncoderLayer or type(layer.self_attn) is not SelfAttention:
                raise TypeError(
                    f'model.neck.encoder.layers.{index} is a {type(layer).__name__} with a '
                    f'{type(layer.self_attn).__name__}, which is not what is fused: accelerate with fuse_encoder=False'
                )
        self.layers = nn.ModuleList(FusedEncoderLayer(layer, dtype) for layer in encoder.layers)

    def tables(self, pos: Tensor | None) -> tuple[Tensor, ...]:
        """Each layer's table of the positions (N, d), float32, or None."""
        return tuple(layer.table(pos) for layer in self.layers)

    def forward(self, x: Tensor, tables: tuple[Tensor, ...]) -> Tensor:
        """(B, N, d) -> (B, N, d)."""
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
        """The positions (N, d) themselves, or nothing."""
        return () if pos is None else (pos.to(self.dtype),)

    def forward(self, x: Tensor, tables: tuple[Tensor, ...]) -> Tensor:
        """(B, N, d) -> (B, N, d)."""
        return self.encoder(x, *tables)
