"""The stem of TransPose-H: HRNet up to its third stage, of which only the highest resolution is returned."""

from __future__ import annotations

import copy
from typing import Any, ClassVar

from mmpose.models.backbones import HRNet
from mmpose.registry import MODELS
from torch import nn

from mmtranspose.errors import InputError, require_choice
from mmtranspose.models.backbones.pretrained import require_pretrained


def _arch(width: int) -> dict[str, dict[str, Any]]:
    """HRNet's ``extra`` up to stage 3, for a width of the highest resolution in channels."""
    channels = (width, 2 * width, 4 * width)
    return dict(
        stage1=dict(num_modules=1, num_branches=1, block='BOTTLENECK', num_blocks=(4,), num_channels=(64,)),
        stage2=dict(num_modules=1, num_branches=2, block='BASIC', num_blocks=(4, 4), num_channels=channels[:2]),
        stage3=dict(num_modules=4, num_branches=3, block='BASIC', num_blocks=(4, 4, 4), num_channels=channels),
    )


@MODELS.register_module()
class HRNetSmall(HRNet):
    """MMPose's :class:`HRNet` without stage 4; the last module of stage 3 fuses into the first branch only.

    Input: (B, 3, H, W). Output: a tuple of one feature map, (B, width, H / 4, W / 4). Parameters have HRNet's names, so
    MMPose's ImageNet weights can be loaded (those of stage 4 and of the other last fusions are not used).

    Args:
        arch (str | dict): ``'w32'`` or ``'w48'`` as in the paper, or a dict with ``stage1`` to ``stage3`` in the form
            of HRNet's ``extra``.
        **kwargs: Arguments of MMPose's ``HRNet``.

    Raises:
        InputError: ``arch`` is an unknown name, or a dict that lacks a stage.
    """

    arch_settings: ClassVar[dict[str, dict[str, Any]]] = {'w32': _arch(32), 'w48': _arch(48)}

    def __init__(self, arch: str | dict = 'w32', **kwargs: Any):
        if isinstance(arch, str):
            require_choice('arch', arch, self.arch_settings)
            arch = self.arch_settings[arch]
        missing = {'stage1', 'stage2', 'stage3'} - set(arch)
        if missing:
            raise InputError(f'HRNetSmall: arch lacks {", ".join(sorted(missing))}')
        extra = copy.deepcopy(dict(arch))
        width = extra['stage3']['num_channels'][0]
        # HRNet cannot be built without a stage 4; one without modules returns stage 3's output.
        extra['stage4'] = dict(num_modules=0, num_branches=1, block='BASIC', num_blocks=(), num_channels=(width,))
        super().__init__(extra=extra, **kwargs)

    def init_weights(self) -> None:
        """Initialise as MMPose's HRNet does, from pretrained weights only if they set every parameter of the stem.

        Raises:
            InputError: The file of ``init_cfg`` cannot be loaded, or is not of this network.
        """
        fusions = f'stage3.{self.extra["stage3"]["num_modules"] - 1}.fuse_layers.'
        require_pretrained(self, ['transition3.', 'stage4.', f'{fusions}1.', f'{fusions}2.'])
        super().init_weights()

    def _make_stage(
        self, layer_config: dict[str, Any], in_channels: list[int], multiscale_output: bool = True
    ) -> tuple[nn.Module, list[int]]:
        if layer_config is self.extra['stage3']:
            multiscale_output = False
        return super()._make_stage(layer_config, in_channels, multiscale_output)
