"""Interventions: change something inside the network, and measure what becomes of each keypoint."""

from mmtranspose.explain.interventions.ablated_tokens import token_ablation
from mmtranspose.explain.interventions.cut_edges import edge_knockout
from mmtranspose.explain.interventions.effects import Effects

__all__ = ['Effects', 'edge_knockout', 'token_ablation']
