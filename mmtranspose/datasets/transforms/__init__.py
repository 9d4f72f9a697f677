"""Transforms of samples, registered in ``mmpose.registry.TRANSFORMS``."""

from mmtranspose.datasets.transforms.cached_load_image import CachedLoadImage
from mmtranspose.datasets.transforms.keypoint_target import KeypointTarget
from mmtranspose.datasets.transforms.topdown_transforms import ClippedRandomBBoxTransform, UnbiasedTopdownAffine

__all__ = ['CachedLoadImage', 'ClippedRandomBBoxTransform', 'KeypointTarget', 'UnbiasedTopdownAffine']
