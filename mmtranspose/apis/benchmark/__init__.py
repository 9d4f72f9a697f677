"""What is measured against the plain way of doing it."""

from mmtranspose.apis.benchmark.encoder import compare_encoders
from mmtranspose.apis.benchmark.explanation import compare_explanations

__all__ = ['compare_encoders', 'compare_explanations']
