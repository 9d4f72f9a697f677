"""The baseline: attention that makes its matrices."""

from __future__ import annotations

from torch import Tensor, nn

from mmtranspose.models.layers import SelfAttention, TransformerEncoder


class MaterialisedAttention(nn.Module):
    """``nn.MultiheadAttention(need_weights=True)`` with a :class:`SelfAttention`'s own weights.

    Args:
        layer (SelfAttention): Whose weights are taken.
        keep (bool): Keep the last matrices, head-averaged (B, N, N), as ``weights``.
    """

    def __init__(self, layer: SelfAttention, keep: bool = False):
        super().__init__()
        self.attention = nn.MultiheadAttention(layer.embed_dims, layer.num_heads, layer.dropout, batch_first=True)
        self.attention.load_state_dict(layer.state_dict())
        self.keep = keep
        self.weights: Tensor | None = None

    def forward(self, x: Tensor, pos: Tensor | None = None) -> Tensor:
        """(B, N, d) -> (B, N, d)."""
        qk = x if pos is None else x + pos
        out, weights = self.attention(qk, qk, x, need_weights=True)
        if self.keep:
            self.weights = weights
        return out


def materialise(encoder: TransformerEncoder, keep: bool = False) -> None:
    """Put :class:`MaterialisedAttention` into every layer."""
    for layer in encoder.layers:
        layer.self_attn = MaterialisedAttention(layer.self_attn, keep).train(layer.training)
