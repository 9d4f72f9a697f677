"""CNN stems, from an image to a feature map."""

from mmtranspose.models.backbones.hrnet_small import HRNetSmall
from mmtranspose.models.backbones.resnet_small import ResNetSmall

__all__ = ['HRNetSmall', 'ResNetSmall']
