"""Where predictions come from: attention turned into maps over the token grid."""

from mmtranspose.explain.attention import attention_maps
from mmtranspose.explain.cells import peak_cells

__all__ = ['attention_maps', 'peak_cells']
