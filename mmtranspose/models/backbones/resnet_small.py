"""The first stages of a ResNet, as a stem."""

from mmpose.models.backbones import ResNet
from mmpose.registry import MODELS

from mmtranspose.models.backbones.pretrained import require_pretrained


@MODELS.register_module()
class ResNetSmall(ResNet):
    """MMPose's :class:`ResNet` cut short after ``num_stages`` stages (TransPose-R: ResNet-50 up to ``layer2``).

    Input: (B, 3, H, W). Output: a tuple of one feature map, (B, 512, H / 8, W / 8) for depth 50 and two stages.
    Parameter names are ResNet's, so ImageNet weights load as they are (layers past the cut are left over).

    Args:
        depth (int): 18, 34, 50, 101 or 152.
        num_stages (int): Stages to keep, 1 to 4; each after the first halves the resolution.
        **kwargs: As in MMPose's ``ResNet``; ``out_indices`` is always the last stage.

    Raises:
        ValueError: ``depth`` or ``num_stages`` is not one of those.
    """

    def __init__(self, depth: int = 50, num_stages: int = 2, **kwargs):
        if depth not in self.arch_settings:
            raise ValueError(f'ResNetSmall: depth {depth!r} is unknown; choose from {sorted(self.arch_settings)}')
        if num_stages not in (1, 2, 3, 4):
            raise ValueError(f'ResNetSmall: num_stages {num_stages!r} is not 1, 2, 3 or 4')
        kwargs.setdefault('strides', (1, 2, 2, 2)[:num_stages])
        kwargs.setdefault('dilations', (1,) * num_stages)
        super().__init__(depth=depth, num_stages=num_stages, out_indices=(num_stages - 1,), **kwargs)

    def init_weights(self) -> None:
        """As MMPose's, but a pretrained start must set the whole stem; later layers are left over."""
        later = [f'layer{stage}.' for stage in range(self.num_stages + 1, 5)]
        require_pretrained(self, later)
        super().init_weights()
