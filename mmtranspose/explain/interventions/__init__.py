"""Interventions: change something inside the network, and measure what becomes of each keypoint."""

from mmtranspose.explain.interventions.ablated_tokens import token_ablation
from mmtranspose.explain.interventions.ablation_curves import (
    AblationCurve,
    edge_knockout_curve,
    token_ablation_curve,
)
from mmtranspose.explain.interventions.cut_edges import edge_knockout
from mmtranspose.explain.interventions.effects import Effects
from mmtranspose.explain.interventions.tokens_off import heatmaps_without_tokens, poses_without_tokens

__all__ = [
    'AblationCurve',
    'Effects',
    'edge_knockout',
    'edge_knockout_curve',
    'heatmaps_without_tokens',
    'poses_without_tokens',
    'token_ablation',
    'token_ablation_curve',
]
