"""Where predictions come from: attention turned into maps over the token grid, and how far to believe them."""

from mmtranspose.explain.attention import attention_maps
from mmtranspose.explain.explainer import ExplainOptions, explain_batch
from mmtranspose.explain.pose_explanation import PoseExplanation
from mmtranspose.explain.target import Target, peak_cells

__all__ = ['ExplainOptions', 'PoseExplanation', 'Target', 'attention_maps', 'explain_batch', 'peak_cells']
