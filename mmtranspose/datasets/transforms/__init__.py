from mmtranspose.datasets.transforms.bbox_transform import ClippedRandomBBoxTransform
from mmtranspose.datasets.transforms.cached_load_image import CachedLoadImage
from mmtranspose.datasets.transforms.keypoint_target import KeypointTarget
from mmtranspose.datasets.transforms.topdown_affine import UnbiasedTopdownAffine

__all__ = ['CachedLoadImage', 'ClippedRandomBBoxTransform', 'KeypointTarget', 'UnbiasedTopdownAffine']
