"""The Transformer encoder for inference: fused projections, and position tables that are cached."""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmtranspose.acceleration.recent import Recent
from mmtranspose.models.layers import EncoderLayer, SelfAttention, TransformerEncoder
from mmtranspose.models.necks import TransPoseNeck

ROWS = 512  # of the matrix at once: they stay in a processor's cache


WIDE = 64  # channels of a head from which on bfloat16 products outweigh what they cost besides


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """``scaled_dot_product_attention`` without mask or dropout.

    PyTorch's CPU kernel computes bfloat16 at float32's speed. Where heads are wide (TransPose-H), products of blocks of
    rows use the processor's bfloat16 units; their error is that of PyTorch's kernel (0.02 of H-A6's heatmaps' range).
    torch.compile is given PyTorch's function, whose batch size it can leave open.

    Args:
        q, k, v (Tensor): (B, heads, N, d / heads).

    Returns:
        Tensor: (B, heads, N, d / heads).
    """
    in_blocks = q.device.type == 'cpu' and q.dtype == torch.bfloat16 and q.shape[-1] >= WIDE
    if not in_blocks or torch.compiler.is_compiling():
        return F.scaled_dot_product_attention(q, k, v)
    out = torch.empty_like(q.transpose(1, 2)).transpose(1, 2)  # (B, N, heads, d / heads) in memory, as it is read next
    for one_q, one_k, one_v, one_out in zip(q, k, v, out):
        keys = one_k.mT * q.shape[-1] ** -0.5
        for rows, result in zip(one_q.split(ROWS, dim=1), one_out.split(ROWS, dim=1)):
            result.copy_((rows @ keys).softmax(-1) @ one_v)
    return out


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


class AcceleratedNeck(nn.Module):
    """A :class:`TransPoseNeck` for inference, in the dtype given.

    The tables that depend on the token grid alone are kept for the last four grids; :meth:`encode` is given them, so
    that what torch.compile or a CUDA graph sees looks nothing up.

    Args:
        neck (TransPoseNeck): Copied, not changed.
        dtype (torch.dtype): Of the weights and features.
        fuse_encoder (bool): With :class:`FusedEncoder`, else the encoder as it is.
    """

    def __init__(self, neck: TransPoseNeck, dtype: torch.dtype, fuse_encoder: bool):
        super().__init__()
        self.projection = copy.deepcopy(neck.projection).to(dtype)
        self.position_encoding = copy.deepcopy(neck.position_encoding)
        self.encoder = (FusedEncoder if fuse_encoder else PlainEncoder)(neck.encoder, dtype)
        self._tables = Recent()

    def tables(self, grid: tuple[int, int]) -> tuple[Tensor, ...]:
        """The encoder's tables for the token grid (h, w)."""
        return self._tables.get_or_make(tuple(grid), lambda: self._make_tables(tuple(grid)))

    def _make_tables(self, grid: tuple[int, int]) -> tuple[Tensor, ...]:
        with torch.inference_mode(False), torch.no_grad():
            pos = None
            if self.position_encoding is not None:
                pos = self.position_encoding(grid, like=self.projection.weight.new_empty(0, dtype=torch.float32))
            return self.encoder.tables(pos)

    def encode(self, feats: tuple[Tensor, ...], tables: tuple[Tensor, ...]) -> tuple[Tensor]:
        """The last feature map (B, C, h, w), encoded with the :meth:`tables` of (h, w): a tuple of one (B, d, h, w)."""
        x = self.projection(feats[-1])
        tokens = self.encoder(x.flatten(2).transpose(1, 2), tables)
        return (tokens.transpose(1, 2).unflatten(-1, x.shape[-2:]),)

    def forward(self, feats: tuple[Tensor, ...]) -> tuple[Tensor]:
        """As :class:`TransPoseNeck`."""
        return self.encode(feats, self.tables(feats[-1].shape[-2:]))
