"""The Transformer encoder of TransPose, with positions added to queries and keys of each layer, not to values."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from mmtranspose.errors import InputError, require_at_least, require_probability


class SelfAttention(nn.Module):
    """Multi-head self-attention with queries and keys from ``x + pos`` and values from ``x``.

    It calls ``torch.nn.functional.scaled_dot_product_attention``, whose fused kernels never store the N x N matrix.
    Parameters have the names of ``torch.nn.MultiheadAttention``.

    Args:
        embed_dims (int): Channels d of a token.
        num_heads (int): Number of heads; each has d / num_heads channels.
        dropout (float): Probability of dropping an attention weight, in training.

    Raises:
        InputError: ``embed_dims`` is smaller than 1 or not divisible by ``num_heads``, or ``dropout`` is not in [0, 1).
    """

    def __init__(self, embed_dims: int, num_heads: int, dropout: float = 0.1):
        super().__init__()
        require_at_least('embed_dims', embed_dims, 1)
        require_probability('attention_dropout', dropout, one=False)
        if num_heads < 1 or embed_dims % num_heads:
            raise InputError(f'num_heads={num_heads} does not divide embed_dims={embed_dims}')
        self.embed_dims = embed_dims
        self.num_heads = num_heads
        self.dropout = dropout
        self.in_proj_weight = nn.Parameter(torch.empty(3 * embed_dims, embed_dims))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * embed_dims))
        self.out_proj = nn.Linear(embed_dims, embed_dims)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the input projection (Xavier-uniform) and set biases to 0, as ``torch.nn.MultiheadAttention`` does."""
        nn.init.xavier_uniform_(self.in_proj_weight)
        nn.init.zeros_(self.in_proj_bias)
        nn.init.zeros_(self.out_proj.bias)

    def split_heads(self, x: Tensor) -> Tensor:
        """Split channels into heads: (B, N, d) -> (B, heads, N, d / heads)."""
        return x.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)

    def query_key(self, x: Tensor, pos: Tensor | None) -> tuple[Tensor, Tensor]:
        """Compute queries and keys of tokens ``x`` (B, N, d), each (B, heads, N, d / heads)."""
        q, k = self._project(x if pos is None else x + pos, 0, 2).chunk(2, dim=-1)
        return self.split_heads(q), self.split_heads(k)

    def query(self, x: Tensor, pos: Tensor | None) -> Tensor:
        """Compute only the queries of :meth:`query_key`."""
        return self.split_heads(self._project(x if pos is None else x + pos, 0, 1))

    def key(self, x: Tensor, pos: Tensor | None) -> Tensor:
        """Compute only the keys of :meth:`query_key`."""
        return self.split_heads(self._project(x if pos is None else x + pos, 1, 2))

    def value(self, x: Tensor) -> Tensor:
        """Compute values of tokens ``x`` (B, N, d): (B, heads, N, d / heads)."""
        return self.split_heads(self._project(x, 2, 3))

    def _project(self, x: Tensor, first: int, last: int) -> Tensor:
        """Apply the projections from ``first`` to before ``last``, of query (0), key (1) and value (2)."""
        part = slice(first * self.embed_dims, last * self.embed_dims)
        weight, bias = self.in_proj_weight[part], self.in_proj_bias[part]
        if x.dtype == torch.float32:  # also where the weights are in half precision
            weight, bias = weight.float(), bias.float()
        return F.linear(x, weight, bias)

    def forward(self, x: Tensor, pos: Tensor | None = None) -> Tensor:
        """Let each token attend to all tokens.

        Args:
            x (Tensor): Tokens, (B, N, d).
            pos (Tensor | None): Position embedding, (N, d) or (B, N, d).

        Returns:
            Tensor: New tokens, (B, N, d).
        """
        q, k = self.query_key(x, pos)
        dropout = self.dropout if self.training else 0.0
        out = F.scaled_dot_product_attention(q, k, self.value(x), dropout_p=dropout)
        return self.out_proj(out.transpose(1, 2).flatten(2))


class EncoderLayer(nn.Module):
    """A post-norm encoder layer with ReLU (Vaswani et al., 2017), with positions added to queries and keys.

    Args:
        embed_dims (int): Channels d of a token.
        num_heads (int): Number of attention heads.
        feedforward_channels (int): Hidden channels of the feed-forward network.
        dropout (float): Dropout after attention, and inside and after the feed-forward network.
        attention_dropout (float | None): Dropout of attention weights; None: ``dropout``. With 0, training on a CPU is
            much faster, because PyTorch's fused CPU attention has no dropout.

    Raises:
        InputError: An argument is out of its range, or ``embed_dims`` is not divisible by ``num_heads``.
    """

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        feedforward_channels: int,
        dropout: float = 0.1,
        attention_dropout: float | None = None,
    ):
        super().__init__()
        require_at_least('feedforward_channels', feedforward_channels, 1)
        require_probability('dropout', dropout, one=False)
        attention_dropout = dropout if attention_dropout is None else attention_dropout
        self.self_attn = SelfAttention(embed_dims, num_heads, attention_dropout)
        self.linear1 = nn.Linear(embed_dims, feedforward_channels)
        self.linear2 = nn.Linear(feedforward_channels, embed_dims)
        self.norm1 = nn.LayerNorm(embed_dims)
        self.norm2 = nn.LayerNorm(embed_dims)
        self.activation = nn.ReLU()
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, pos: Tensor | None = None) -> Tensor:
        """Encode tokens (B, N, d) -> (B, N, d); ``pos`` is (N, d), (B, N, d) or None."""
        return self.after_attention(x, self.self_attn(x, pos))

    def after_attention(self, x: Tensor, attended: Tensor) -> Tensor:
        """Encode tokens (..., d), each by itself, given what attention has made of each (..., d)."""
        x = self.norm1(x + self.dropout(attended))
        hidden = self.dropout(self.activation(self.linear1(x)))
        return self.norm2(x + self.dropout(self.linear2(hidden)))


class TransformerEncoder(BaseModule):
    """Encoder layers, each of which is given the position embedding. There is no norm after the last layer.

    All matrices are initialised Xavier-uniform.

    Args:
        num_layers (int): Number of layers.
        with_cp (bool): Activation checkpointing in training: keep only the input of each layer, and compute the layer
            again in the backward pass. Values and gradients are the same; it needs less memory and more time.
        **layer: Arguments of :class:`EncoderLayer`.

    Raises:
        InputError: ``num_layers`` is smaller than 1, or see :class:`EncoderLayer`.
    """

    def __init__(self, num_layers: int, with_cp: bool = False, **layer: Any):
        super().__init__()
        require_at_least('num_layers', num_layers, 1)
        self.with_cp = with_cp
        self.layers = nn.ModuleList(EncoderLayer(**layer) for _ in range(num_layers))

    def init_weights(self) -> None:
        """Draw all matrices, Xavier-uniform."""
        super().init_weights()
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)

    def forward(self, x: Tensor, pos: Tensor | None = None) -> Tensor:
        """Encode tokens (B, N, d) -> (B, N, d); ``pos`` is (N, d), (B, N, d) or None."""
        for layer in self.layers:
            x = checkpoint(layer, x, pos, use_reentrant=False) if self.with_cp and self.training else layer(x, pos)
        return x
