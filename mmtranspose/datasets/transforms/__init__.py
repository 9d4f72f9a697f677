from mmtranspose.datasets.transforms.bbox_transform import ClippedRandomBBoxTransform
from mmtranspose.datasets.transforms.topdown_affine import UnbiasedTopdownAffine

__all__ = ['ClippedRandomBBoxTransform', 'UnbiasedTopdownAffine']
