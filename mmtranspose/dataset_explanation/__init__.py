"""What a model's predictions depend on over a dataset, and how far its explanations can be believed."""

from mmtranspose.dataset_explanation.dataset_run import explain_dataset
from mmtranspose.dataset_explanation.settings import DatasetExplanationSettings

__all__ = ['DatasetExplanationSettings', 'explain_dataset']
