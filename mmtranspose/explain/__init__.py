"""Explain what predictions depend on: maps over the token grid from attention and other methods, and their measures."""

from mmtranspose.explain.attention import attention_maps
from mmtranspose.explain.explainer import Explainer, ExplainOptions, explainer_of
from mmtranspose.explain.interventions import Effects, edge_knockout, token_ablation
from mmtranspose.explain.pose_explanation import PoseExplanation
from mmtranspose.explain.target import Target, peak_cells

__all__ = [
    'Effects',
    'ExplainOptions',
    'Explainer',
    'PoseExplanation',
    'Target',
    'attention_maps',
    'edge_knockout',
    'explainer_of',
    'peak_cells',
    'token_ablation',
]
