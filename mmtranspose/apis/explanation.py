"""Moved to ``mmtranspose.explain.explainer``; this path goes with the next release."""

from mmtranspose.explain.explainer import explain_topdown, require_explainable

__all__ = ['explain_topdown', 'require_explainable']
