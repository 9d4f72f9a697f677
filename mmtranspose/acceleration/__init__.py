from mmtranspose.acceleration.accelerating import accelerate, decelerate
from mmtranspose.acceleration.estimator import AcceleratedPoseEstimator
from mmtranspose.acceleration.options import AccelerationOptions

__all__ = ['AcceleratedPoseEstimator', 'AccelerationOptions', 'accelerate', 'decelerate']
