"""Layers of the Transformer: position encoding, self-attention and encoder."""

from mmtranspose.models.layers.position_encoding import (
    LearnablePositionEncoding,
    SinePositionEncoding,
    build_position_encoding,
)
from mmtranspose.models.layers.transformer_encoder import EncoderLayer, SelfAttention, TransformerEncoder

__all__ = [
    'EncoderLayer',
    'LearnablePositionEncoding',
    'SelfAttention',
    'SinePositionEncoding',
    'TransformerEncoder',
    'build_position_encoding',
]
