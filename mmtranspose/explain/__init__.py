"""Where predictions come from: attention turned into maps over the token grid."""

from mmtranspose.explain.attention import attention_maps

__all__ = ['attention_maps']
