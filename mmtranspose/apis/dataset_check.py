"""Moved to ``mmtranspose.dataset_check``; this path goes with the next release."""

from mmtranspose.dataset_check import Report, check_dataset

__all__ = ['Report', 'check_dataset']
