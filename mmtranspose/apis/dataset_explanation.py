"""Moved to ``mmtranspose.dataset_explanation``; this path goes with the next release."""

from mmtranspose.dataset_explanation import DatasetExplanationSettings, explain_dataset

__all__ = ['DatasetExplanationSettings', 'explain_dataset']
