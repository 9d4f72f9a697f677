"""Look for mistakes in the annotations and images that a config names, before days of training are spent on them."""

from mmtranspose.dataset_check.check import check_dataset
from mmtranspose.dataset_check.findings import Report
from mmtranspose.dataset_check.labelled_images import LabelledImage, labelled_images

__all__ = ['LabelledImage', 'Report', 'check_dataset', 'labelled_images']
