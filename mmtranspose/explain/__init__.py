"""Where predictions come from: attention turned into maps over the token grid, and how far to believe them."""

from mmtranspose.explain.attention import attention_maps
from mmtranspose.explain.cells import peak_cells
from mmtranspose.explain.explaining import ExplainOptions, explain_batch
from mmtranspose.explain.pose_explanation import PoseExplanation
from mmtranspose.explain.target import Target

__all__ = ['ExplainOptions', 'PoseExplanation', 'Target', 'attention_maps', 'explain_batch', 'peak_cells']
