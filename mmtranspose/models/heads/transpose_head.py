"""From encoded features to heatmaps."""

from __future__ import annotations

from collections.abc import Sequence

from mmpose.models.heads import HeatmapHead
from mmpose.registry import MODELS


@MODELS.register_module()
class TransPoseHead(HeatmapHead):
    """MMPose's :class:`HeatmapHead` with TransPose's layers and start.

    TransPose-R has one deconvolution (4x4, stride 2) with BN and ReLU before the 1x1 convolution, TransPose-H none:
    ``deconv_out_channels=(256,)`` or None. The final convolution starts at N(0, 0.001) with bias 0; a deconvolution
    stays at PyTorch's default.

    Args:
        in_channels (int): Channels d of the neck's output.
        out_channels (int): Keypoints K.
        deconv_out_channels (Sequence[int] | None): Output channels of each deconvolution.
        deconv_kernel_sizes (Sequence[int] | None): Kernel sizes; by default 4 for each.
        **kwargs: As in ``HeatmapHead`` (``loss``, ``decoder``, ``init_cfg``, ...).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        deconv_out_channels: Sequence[int] | None = None,
        deconv_kernel_sizes: Sequence[int] | None = None,
        **kwargs,
    ):
        if deconv_out_channels and deconv_kernel_sizes is None:
            deconv_kernel_sizes = (4,) * len(deconv_out_channels)
        super().__init__(
            in_channels=in_channels,
            out_channels=out_channels,
            deconv_out_channels=deconv_out_channels,
            deconv_kernel_sizes=deconv_kernel_sizes,
            **kwargs,
        )

    @property
    def default_init_cfg(self) -> list[dict]:
        """The final convolution's start (and that of any intermediate one)."""
        return [dict(type='Normal', layer='Conv2d', std=0.001), dict(type='Constant', layer='BatchNorm2d', val=1)]
