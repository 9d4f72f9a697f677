"""The head: compute heatmaps from encoded features, decode them to keypoints, and train them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.structures import InstanceData, PixelData
from mmpose.models.heads import HeatmapHead
from mmpose.models.utils.tta import flip_heatmaps
from mmpose.registry import MODELS
from mmpose.utils.typing import ConfigType, Features, InstanceList, OptSampleList, Predictions
from torch import Tensor

from mmtranspose.codecs import batch_decoder
from mmtranspose.errors import InputError, require_at_least
from mmtranspose.models.heads.pose_accuracy import pose_accuracy


@MODELS.register_module()
class TransPoseHead(HeatmapHead):
    """MMPose's :class:`HeatmapHead` with TransPose's layers and initialisation, and decoding and targets on the device.

    TransPose-R has one deconvolution (4x4, stride 2) with batch normalisation and ReLU before the final 1x1 convolution
    (``deconv_out_channels=(256,)``), TransPose-H has none (None). The final convolution is initialised with N(0, 0.001)
    and bias 0, a deconvolution by PyTorch's default.

    Args:
        in_channels (int): Channels d of the neck's output.
        out_channels (int): Number of keypoints K.
        deconv_out_channels (Sequence[int] | None): Output channels of each deconvolution.
        deconv_kernel_sizes (Sequence[int] | None): Kernel size of each deconvolution; None: 4.
        batch_decoding (bool): Decode all people of a batch at once, on the device, if
            :func:`mmtranspose.codecs.batch_decoder` supports the decoder. False: one by one on the CPU, as MMPose does.
        **kwargs: Arguments of ``HeatmapHead`` (``loss``, ``decoder``, ``init_cfg``, ...).

    Raises:
        InputError: A number of channels is smaller than 1.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        deconv_out_channels: Sequence[int] | None = None,
        deconv_kernel_sizes: Sequence[int] | None = None,
        batch_decoding: bool = True,
        **kwargs: Any,
    ):
        require_at_least('in_channels', in_channels, 1)
        require_at_least('out_channels', out_channels, 1)
        if min(deconv_out_channels or (1,)) < 1:
            raise InputError(f'deconv_out_channels={deconv_out_channels}: each value must be at least 1')
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
    def default_init_cfg(self) -> list[dict[str, Any]]:
        """Initialisation of the convolutions and batch normalisations."""
        return [dict(type='Normal', layer='Conv2d', std=0.001), dict(type='Constant', layer='BatchNorm2d', val=1)]

    def decode(self, batch_outputs: Tensor) -> InstanceList:
        """Decode heatmaps to keypoints and scores.

        Args:
            batch_outputs (Tensor): (B, K, H, W).

        Returns:
            list[InstanceData]: One for each image, with ``keypoints`` (1, K, 2) as (x, y) in the decoder's input frame
            and ``keypoint_scores`` (1, K).
        """
        decoder = batch_decoder(self.decoder) if self.batch_decoding else None
        if decoder is None:
            return super().decode(batch_outputs)
        return [InstanceData(keypoints=one, keypoint_scores=score) for one, score in zip(*decoder(batch_outputs))]

    def predict(self, feats: Features, batch_data_samples: OptSampleList, test_cfg: ConfigType = {}) -> Predictions:  # noqa: B006  as in MMPose
        """Predict keypoints from features, as ``HeatmapHead.predict`` does.

        Args:
            feats (tuple[Tensor] | list[tuple[Tensor]]): The neck's output; with ``flip_test``, the outputs for the
                images and for the mirrored images.
            batch_data_samples (list[PoseDataSample]): The images' samples.
            test_cfg (dict): ``flip_test``, and the entries that :meth:`predict_heatmaps` reads.

        Returns:
            list[InstanceData] | tuple: As :meth:`predict_heatmaps`.
        """
        plain, mirrored = feats if test_cfg.get('flip_test', False) else (feats, None)
        heatmaps = self.forward(plain)
        flipped = None if mirrored is None else self.forward(mirrored)
        return self.predict_heatmaps(heatmaps, flipped, batch_data_samples, test_cfg)

    def predict_heatmaps(
        self,
        heatmaps: Tensor,
        flipped: Tensor | None,
        batch_data_samples: OptSampleList,
        test_cfg: ConfigType,
    ) -> Predictions:
        """Predict keypoints from heatmaps, averaged with those of the mirrored images.

        Args:
            heatmaps (Tensor): Heatmaps of the images, (B, K, H, W).
            flipped (Tensor | None): Heatmaps of the mirrored images as the network returned them, (B, K, H, W).
            batch_data_samples (list[PoseDataSample]): The images' samples; ``flip_indices`` are read from the first
                one's metainfo.
            test_cfg (dict): ``flip_mode``, ``shift_heatmap`` and ``output_heatmaps`` are read, as in MMPose.

        Returns:
            list[InstanceData] | tuple: The list of :meth:`decode`; with ``output_heatmaps``, a tuple of it and a list
            of PixelData, whose ``heatmaps`` are (K, H, W).
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

    def loss(
        self,
        feats: Features,
        batch_data_samples: OptSampleList | dict,
        train_cfg: ConfigType = {},  # noqa: B006  as in MMPose
    ) -> dict[str, Tensor]:
        """Compute the loss as ``HeatmapHead.loss`` does, but without a copy to the CPU.

        Args:
            feats (tuple[Tensor]): The neck's output.
            batch_data_samples (list[PoseDataSample] | dict[str, Tensor]): The samples, or their labels stacked on the
                device: ``keypoint_weights`` (B, K), and either the target ``heatmaps`` (B, K, H, W) or
                ``keypoint_labels`` (B, K, 2) as (x, y) in pixels of the input, from which the decoder's ``render``
                draws the targets.
            train_cfg (dict): ``compute_acc`` (default True): whether to add the accuracy.

        Returns:
            dict[str, Tensor]: ``loss_kpt``, and ``acc_pose`` of :func:`pose_accuracy`.

        Raises:
            InputError: There are no target heatmaps, and no keypoints, or no decoder that can draw them.
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
    """The labels that :meth:`TransPoseHead.loss` needs, stacked over the samples."""
    if isinstance(samples, dict):
        return samples
    stacked: dict[str, Tensor] = {}
    for name in ('keypoint_weights', 'keypoint_labels'):
        if all(name in sample.gt_instance_labels for sample in samples):
            stacked[name] = torch.cat([sample.gt_instance_labels[name] for sample in samples])
    if all('gt_fields' in sample and 'heatmaps' in sample.gt_fields for sample in samples):
        stacked['heatmaps'] = torch.stack([sample.gt_fields.heatmaps for sample in samples])
    return stacked
