from mmtranspose.datasets.transforms.bbox_transform import ClippedRandomBBoxTransform

__all__ = ['ClippedRandomBBoxTransform']
