"""The network's parts (stems, Transformer neck, heatmap head), registered in ``mmpose.registry.MODELS``."""

from mmtranspose.models.backbones import HRNetSmall, ResNetSmall
from mmtranspose.models.data_preprocessors import TransPoseDataPreprocessor
from mmtranspose.models.heads import TransPoseHead
from mmtranspose.models.necks import TransPoseNeck
from mmtranspose.models.released_weights import accept_released_weights

accept_released_weights()

__all__ = ['HRNetSmall', 'ResNetSmall', 'TransPoseDataPreprocessor', 'TransPoseHead', 'TransPoseNeck']
