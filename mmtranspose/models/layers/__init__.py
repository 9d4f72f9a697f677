from mmtranspose.models.layers.attention import SelfAttention
from mmtranspose.models.layers.encoder import EncoderLayer, TransformerEncoder
from mmtranspose.models.layers.position_encoding import (
    LearnablePositionEncoding,
    SinePositionEncoding,
    build_position_encoding,
)

__all__ = [
    'EncoderLayer',
    'LearnablePositionEncoding',
    'SelfAttention',
    'SinePositionEncoding',
    'TransformerEncoder',
    'build_position_encoding',
]
