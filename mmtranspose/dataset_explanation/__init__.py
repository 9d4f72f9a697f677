"""Measure what a model's predictions depend on over a dataset, and how faithful its explanations are."""

from mmtranspose.dataset_explanation.dataset_run import explain_dataset
from mmtranspose.dataset_explanation.explanation_settings import DatasetExplanationSettings

__all__ = ['DatasetExplanationSettings', 'explain_dataset']
