"""Make pose estimators, or their encoders alone, faster at inference."""

from mmtranspose.acceleration.accelerated_estimator import AcceleratedPoseEstimator
from mmtranspose.acceleration.accelerating import accelerate, decelerate
from mmtranspose.acceleration.openvino_encoder import OpenVinoEncoder, OpenVinoEncoders
from mmtranspose.acceleration.options import DTYPES, AccelerationOptions

__all__ = [
    'DTYPES',
    'AcceleratedPoseEstimator',
    'AccelerationOptions',
    'OpenVinoEncoder',
    'OpenVinoEncoders',
    'accelerate',
    'decelerate',
]
