"""What a model's predictions rest on over a data set, and how far its explanations can be believed."""

from mmtranspose.dataset_explanation.dataset_run import explain_dataset
from mmtranspose.dataset_explanation.settings import DatasetExplanationSettings

__all__ = ['DatasetExplanationSettings', 'explain_dataset']
