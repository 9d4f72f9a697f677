"""From encoded features to heatmaps, and from heatmaps to keypoints."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmengine.structures import InstanceData, PixelData
from mmpose.models.heads import HeatmapHead
from mmpose.models.utils.tta import flip_heatmaps
from mmpose.registry import MODELS
from mmpose.utils.typing import ConfigType, Features, InstanceList, OptSampleList, Predictions
from torch import Tensor

from mmtranspose.codecs import batch_decoder
from mmtranspose.errors import InputError
from mmtranspose.models.heads.pose_accuracy import pose_accuracy


@MODELS.register_module()
class TransPoseHead(HeatmapHead):
    """MMPose's :class:`HeatmapHead` with TransPose's layers and start, decoding and targets on the device.

    TransPose-R has one deconvolution (4x4, stride 2) with BN and ReLU before the 1x1 convolution, TransPose-H none:
    ``deconv_out_channels=(256,)`` or None. The final convolution starts at N(0, 0.001) with bias 0; a deconvolution
    stays at PyTorch's default.

    Args:
        in_channels (int): Channels d of the neck's output.
        out_channels (int): Keypoints K.
        deconv_out_channels (Sequence[int] | None): Output channels of each deconvolution.
        deconv_kernel_sizes (Sequence[int] | None): Kernel sizes; by default 4 for each.
        batch_decoding (bool): Decode all people of a batch at once, on the device, where
            :func:`mmtranspose.codecs.batch_decoder` knows the decoder. False: one by one on the CPU, as MMPose does.
        **kwargs: As in ``HeatmapHead`` (``loss``, ``decoder``, ``init_cfg``, ...).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        deconv_out_channels: Sequence[int] | None = None,
        deconv_kernel_sizes: Sequence[int] | None = None,
        batch_decoding: bool = True,
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
        self.batch_decoding = batch_decoding

    @property
    def default_init_cfg(self) -> list[dict]:
        """The final convolution's start (and that of any intermediate one)."""
        return [dict(type='Normal', layer='Conv2d', std=0.001), dict(type='Constant', layer='BatchNorm2d', val=1)]

    def decode(self, batch_outputs: Tensor) -> InstanceList:
        """Keypoints and scores of heatmaps.

        Args:
            batch_outputs (Tensor): (B, K, H, W).

        Returns:
            list[InstanceData]: One an image: ``keypoints`` (1, K, 2) in the decoder's input frame, ``keypoint_scores``
            (1, K).
        """
        decoder = batch_decoder(self.decoder) if self.batch_decoding else None
        if decoder is None:
            return super().decode(batch_outputs)
        return [InstanceData(keypoints=one, keypoint_scores=score) for one, score in zip(*decoder(batch_outputs))]

    def predict(self, feats: Features, batch_data_samples: OptSampleList, test_cfg: ConfigType = {}) -> Predictions:  # noqa: B006
        """Keypoints from features, as ``HeatmapHead.predict``.

        Args:
            feats (tuple[Tensor] | list[tuple[Tensor]]): The neck's output; for ``flip_test`` that of the images and
                that of the mirrored images.
            batch_data_samples (list[PoseDataSample]): Of the images.
            test_cfg (dict): See :meth:`predict_heatmaps`; and ``flip_test``.

        Returns:
            list[InstanceData] | tuple: As :meth:`predict_heatmaps`.
        """
        pictures, mirrored = feats if test_cfg.get('flip_test', False) else (feats, None)
        heatmaps = self.forward(pictures)
        flipped = None if mirrored is None else self.forward(mirrored)
        return self.predict_heatmaps(heatmaps, flipped, batch_data_samples, test_cfg)

    def predict_heatmaps(
        self,
        heatmaps: Tensor,
        flipped: Tensor | None,
        batch_data_samples: OptSampleList,
        test_cfg: ConfigType,
    ) -> Predictions:
        """Keypoints from heatmaps, those of the mirrored images averaged in.

        Args:
            heatmaps (Tensor): (B, K, H, W), of the images.
            flipped (Tensor | None): (B, K, H, W), of the mirrored images, as the network returned them.
            batch_data_samples (list[PoseDataSample]): ``flip_indices`` are read from the first one's metainfo.
            test_cfg (dict): ``flip_mode``, ``shift_heatmap`` and ``output_heatmaps`` are read, as MMPose does.

        Returns:
            list[InstanceData] | tuple: See :meth:`decode`; with ``output_heatmaps`` also a list of PixelData, whose
            ``heatmaps`` are (K, H, W).
        """
        if flipped is not None and len(flipped):
            unflipped = flip_heatmaps(
                flipped,
                flip_mode=test_cfg.get('flip_mode', 'heatmap'),
                flip_indices=batch_data_samples[0].metainfo['flip_indices'],
                shift_heatmap=test_cfg.get('shift_heatmap', False),
            )
            heatmaps = (heatmaps + unflipped) * 0.5
        poses = self.decode(heatmaps)
        if not test_cfg.get('output_heatmaps', False):
            return poses
        return poses, [PixelData(heatmaps=one) for one in heatmaps.detach()]

    def loss(self, feats: Features, batch_data_samples: OptSampleList | dict, train_cfg: ConfigType = {}) -> dict:  # noqa: B006
        """``HeatmapHead.loss``, without a copy to the CPU, and with targets that may be drawn here.

        Args:
            feats (tuple[Tensor]): The neck's output.
            batch_data_samples (list[PoseDataSample] | dict[str, Tensor]): The samples, or their labels stacked on the
                device: ``keypoint_weights`` (B, K), and ``heatmaps`` (B, K, H, W) or ``keypoint_labels`` (B, K, 2) as
                (x, y), pixels of the input, from which the decoder's ``render`` draws the heatmaps.
            train_cfg (dict): ``compute_acc`` (True): whether to add the accuracy.

        Returns:
            dict[str, Tensor]: ``loss_kpt`` and ``acc_pose``, see :func:`pose_accuracy`.

        Raises:
            InputError: There are no heatmaps, and no keypoints or no decoder to draw them with.
        """
        heatmaps = self.forward(feats)
        targets, weights = self._targets(_stacked_labels(batch_data_samples))
        losses = dict(loss_kpt=self.loss_module(heatmaps, targets, weights))
        if train_cfg.get('compute_acc', True):
            losses['acc_pose'] = pose_accuracy(heatmaps, targets, weights > 0)
        return losses

    def _targets(self, labels: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Target heatmaps (B, K, H, W) and weights (B, K)."""
        if 'heatmaps' in labels:
            return labels['heatmaps'], labels['keypoint_weights']
        if 'keypoint_labels' not in labels:
            raise InputError(
                'The training samples have neither heatmaps nor keypoint_labels: put GenerateTarget or KeypointTarget '
                'into the train_pipeline, before PackPoseInputs'
            )
        if not hasattr(self.decoder, 'render'):
            raise InputError(
                f'model.head.decoder: {type(self.decoder).__name__} cannot draw targets from keypoint_labels: use '
                'UnbiasedHeatmap, or GenerateTarget in the train_pipeline in place of KeypointTarget'
            )
        return self.decoder.render(labels['keypoint_labels'], labels['keypoint_weights'])


def _stacked_labels(samples: OptSampleList | dict[str, Tensor]) -> dict[str, Tensor]:
    """The labels of :meth:`TransPoseHead.loss` as its dict of stacked tensors."""
    if isinstance(samples, dict):
        return samples
    stacked = {}
    for name in ('keypoint_weights', 'keypoint_labels'):
        if all(name in sample.gt_instance_labels for sample in samples):
            stacked[name] = torch.cat([sample.gt_instance_labels[name] for sample in samples])
    if all('gt_fields' in sample and 'heatmaps' in sample.gt_fields for sample in samples):
        stacked['heatmaps'] = torch.stack([sample.gt_fields.heatmaps for sample in samples])
    return stacked
