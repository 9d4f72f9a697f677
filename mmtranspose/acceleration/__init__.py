"""Make pose estimators faster at inference, within PyTorch."""

from mmtranspose.acceleration.accelerated_estimator import AcceleratedPoseEstimator
from mmtranspose.acceleration.accelerating import accelerate, decelerate
from mmtranspose.acceleration.options import DTYPES, AccelerationOptions

__all__ = ['DTYPES', 'AcceleratedPoseEstimator', 'AccelerationOptions', 'accelerate', 'decelerate']
