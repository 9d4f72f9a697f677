from mmtranspose.acceleration.accelerating import accelerate, decelerate
from mmtranspose.acceleration.estimator import AcceleratedPoseEstimator
from mmtranspose.acceleration.options import AccelerationOptions
from mmtranspose.acceleration.precision import DTYPES

__all__ = ['DTYPES', 'AcceleratedPoseEstimator', 'AccelerationOptions', 'accelerate', 'decelerate']
