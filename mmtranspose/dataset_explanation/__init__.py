"""Measure what a model's predictions depend on over a dataset, and how faithful its explanations are."""

from mmtranspose.dataset_explanation.cases import CaseOptions
from mmtranspose.dataset_explanation.dataset_run import explain_dataset
from mmtranspose.dataset_explanation.explanation_settings import DatasetExplanationSettings

__all__ = ['CaseOptions', 'DatasetExplanationSettings', 'explain_dataset']
