"""Where predictions come from: attention turned into maps over the token grid."""

from mmtranspose.explain.attention import attention_maps
from mmtranspose.explain.cells import peak_cells
from mmtranspose.explain.pose_explanation import PoseExplanation
from mmtranspose.explain.target import Target

__all__ = ['PoseExplanation', 'Target', 'attention_maps', 'peak_cells']
