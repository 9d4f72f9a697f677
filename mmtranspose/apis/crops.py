"""Moved to ``mmtranspose.crops.crop_maker``; this path goes with the next release."""

from mmtranspose.crops.crop_maker import CropMaker, prepare_crops

__all__ = ['CropMaker', 'prepare_crops']
