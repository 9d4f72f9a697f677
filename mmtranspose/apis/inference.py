"""Moved to ``mmtranspose.loading`` and ``mmtranspose.inference``; this path goes with the next release."""

from mmtranspose.inference.pose_estimation import inference_topdown
from mmtranspose.loading.init_model import init_model

__all__ = ['inference_topdown', 'init_model']
