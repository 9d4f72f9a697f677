"""The Transformer encoder of TransPose."""

from __future__ import annotations

from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from mmtranspose.models.layers.attention import SelfAttention


class EncoderLayer(nn.Module):
    """Post-norm encoder layer with ReLU (Vaswani et al., 2017), the position added to queries and keys.

    Args:
        embed_dims (int): Channels d of a token.
        num_heads (int): Attention heads.
        feedforward_channels (int): Hidden channels of the feed-forward network.
        dropout (float): After attention, inside and after the feed-forward network.
        attention_dropout (float | None): On attention weights; None: as ``dropout``. 0 makes training on a CPU much
            faster: PyTorch's fused attention there knows no dropout.
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
        attention_dropout = dropout if attention_dropout is None else attention_dropout
        self.self_attn = SelfAttention(embed_dims, num_heads, attention_dropout)
        self.linear1 = nn.Linear(embed_dims, feedforward_channels)
        self.linear2 = nn.Linear(feedforward_channels, embed_dims)
        self.norm1 = nn.LayerNorm(embed_dims)
        self.norm2 = nn.LayerNorm(embed_dims)
        self.activation = nn.ReLU()
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, pos: Tensor | None = None) -> Tensor:
        """(B, N, d) -> (B, N, d); ``pos`` is (N, d), (B, N, d) or None."""
        x = self.norm1(x + self.dropout(self.self_attn(x, pos)))
        hidden = self.dropout(self.activation(self.linear1(x)))
        return self.norm2(x + self.dropout(self.linear2(hidden)))


class TransformerEncoder(BaseModule):
    """``num_layers`` encoder layers, the position embedding given to every one; no norm after the last.

    Every matrix starts Xavier-uniform.

    Args:
        num_layers (int): Layers.
        with_cp (bool): Activation checkpointing: while training, keep each layer's input alone and compute the layer
            anew in the backward pass. Same values and gradients, less memory, more time.
        **layer: As in :class:`EncoderLayer`.
    """

    def __init__(self, num_layers: int, with_cp: bool = False, **layer):
        super().__init__()
        self.with_cp = with_cp
        self.layers = nn.ModuleList(EncoderLayer(**layer) for _ in range(num_layers))

    def init_weights(self) -> None:
        """Draw every matrix anew, Xavier-uniform."""
        super().init_weights()
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)

    def forward(self, x: Tensor, pos: Tensor | None = None) -> Tensor:
        """(B, N, d) -> (B, N, d); ``pos`` is (N, d), (B, N, d) or None."""
        for layer in self.layers:
            x = checkpoint(layer, x, pos, use_reentrant=False) if self.with_cp and self.training else layer(x, pos)
        return x
