"""Look for mistakes in the annotations and images that a config names, before days of training are spent on them."""

from mmtranspose.dataset_check.check import check_dataset
from mmtranspose.dataset_check.findings import Report

__all__ = ['Report', 'check_dataset']
