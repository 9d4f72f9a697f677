"""HRNet up to its third stage, highest resolution alone, as a stem."""

from __future__ import annotations

import copy

from mmpose.models.backbones import HRNet
from mmpose.registry import MODELS

from mmtranspose.models.backbones.pretrained import require_pretrained


def _arch(width: int) -> dict:
    channels = (width, 2 * width, 4 * width)
    return dict(
        stage1=dict(num_modules=1, num_branches=1, block='BOTTLENECK', num_blocks=(4,), num_channels=(64,)),
        stage2=dict(num_modules=1, num_branches=2, block='BASIC', num_blocks=(4, 4), num_channels=channels[:2]),
        stage3=dict(num_modules=4, num_branches=3, block='BASIC', num_blocks=(4, 4, 4), num_channels=channels),
    )


@MODELS.register_module()
class HRNetSmall(HRNet):
    """MMPose's :class:`HRNet` cut short after stage 3, whose last module fuses into the first branch alone.

    Input: (B, 3, H, W). Output: a tuple of one feature map, (B, width, H / 4, W / 4). Parameter names are HRNet's, so
    MMPose's ImageNet weights load as they are (stage 4 and the last fusions are left over).

    Args:
        arch (str | dict): ``'w32'`` or ``'w48'`` as in the paper, or a dict with ``stage1`` to ``stage3`` in the form
            of HRNet's ``extra``.
        **kwargs: As in MMPose's ``HRNet``.

    Raises:
        ValueError: ``arch`` is an unknown name, or a dict that lacks a stage.
    """

    arch_settings = {'w32': _arch(32), 'w48': _arch(48)}

    def __init__(self, arch: str | dict = 'w32', **kwargs):
        if isinstance(arch, str):
            if arch not in self.arch_settings:
                raise ValueError(f'HRNetSmall: arch {arch!r} is unknown; choose from {sorted(self.arch_settings)}')
            arch = self.arch_settings[arch]
        missing = {'stage1', 'stage2', 'stage3'} - set(arch)
        if missing:
            raise ValueError(f'HRNetSmall: arch lacks {", ".join(sorted(missing))}')
        extra = copy.deepcopy(dict(arch))
        width = extra['stage3']['num_channels'][0]
        # HRNet cannot be built without a stage 4: one without modules hands stage 3's output on.
        extra['stage4'] = dict(num_modules=0, num_branches=1, block='BASIC', num_blocks=(), num_channels=(width,))
        super().__init__(extra=extra, **kwargs)

    def init_weights(self) -> None:
        """As MMPose's, but a pretrained start must set the whole stem; stage 4, the fusions into it and the
        classifier are left over."""
        fusions = f'stage3.{self.extra["stage3"]["num_modules"] - 1}.fuse_layers.'
        require_pretrained(self, ['transition3.', 'stage4.', f'{fusions}1.', f'{fusions}2.'])
        super().init_weights()

    def _make_stage(self, layer_config, in_channels, multiscale_output=True):
        if layer_config is self.extra['stage3']:
            multiscale_output = False
        return super()._make_stage(layer_config, in_channels, multiscale_output)
