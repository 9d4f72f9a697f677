"""The stem of TransPose-R: the first stages of a ResNet."""

from __future__ import annotations

from typing import Any

from mmpose.models.backbones import ResNet
from mmpose.registry import MODELS

from mmtranspose.errors import require_choice
from mmtranspose.models.backbones.pretrained import require_pretrained


@MODELS.register_module()
class ResNetSmall(ResNet):
    """MMPose's :class:`ResNet` up to stage ``num_stages`` (TransPose-R: ResNet-50 up to ``layer2``).

    Input: (B, 3, H, W). Output: a tuple of one feature map, (B, 512, H / 8, W / 8) for depth 50 and two stages.
    Parameters have ResNet's names, so ImageNet weights can be loaded (those of later layers are not used).

    Args:
        depth (int): 18, 34, 50, 101 or 152.
        num_stages (int): Stages to keep, 1 to 4; each after the first halves the resolution.
        **kwargs: Arguments of MMPose's ``ResNet``, except ``out_indices``: the last stage is returned.

    Raises:
        InputError: ``depth`` or ``num_stages`` has another value.
    """

    def __init__(self, depth: int = 50, num_stages: int = 2, **kwargs: Any):
        require_choice('depth', depth, self.arch_settings)
        require_choice('num_stages', num_stages, (1, 2, 3, 4))
        kwargs.setdefault('strides', (1, 2, 2, 2)[:num_stages])
        kwargs.setdefault('dilations', (1,) * num_stages)
        super().__init__(depth=depth, num_stages=num_stages, out_indices=(num_stages - 1,), **kwargs)

    def init_weights(self) -> None:
        """Initialise as MMPose's ResNet does, from pretrained weights only if they set every parameter of the stem.

        Raises:
            InputError: The file of ``init_cfg`` cannot be loaded, or is not of this network.
        """
        later = [f'layer{stage}.' for stage in range(self.num_stages + 1, 5)]
        require_pretrained(self, later)
        super().init_weights()
