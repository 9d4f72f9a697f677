"""From a loader's batch to the network's input, without waiting for the device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from mmengine.model import ImgDataPreprocessor
from mmpose.models.data_preprocessors import PoseDataPreprocessor
from mmpose.registry import MODELS
from torch import Tensor

from mmtranspose.errors import InputError


@MODELS.register_module()
class TransPoseDataPreprocessor(PoseDataPreprocessor):
    """MMPose's :class:`PoseDataPreprocessor`, which also takes the batches of tensors of ``tensor_collate``.

    Values are the same. Images of one size are normalised together; channels are reversed by a flip, not by a list of
    indices, which would have to be copied to the device first, and waited for.

    Args:
        *args, **kwargs: As in ``PoseDataPreprocessor``. ``non_blocking=True`` copies from pinned memory (the loader's
            ``pin_memory=True``) while the device is at work.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.reverse_channels, self._channel_conversion = self._channel_conversion, False

    def forward(self, data: dict, training: bool = False) -> dict:
        """Move to the device, reverse channels, normalise, pad; with MMPose's samples, also augment.

        Args:
            data (dict): ``inputs``, B tensors (3, H, W) or one (B, 3, H, W), uint8, BGR; ``data_samples``, a list of B
                ``PoseDataSample`` or a dict of tensors (B, ...).
            training (bool): Whether to apply ``batch_augments``.

        Returns:
            dict: ``inputs`` (B, 3, H, W), float32; ``data_samples`` of the form they came in.

        Raises:
            InputError: The batch is empty; or there are ``batch_augments``, which know MMPose's samples alone.
        """
        if len(data['inputs']) == 0:
            raise InputError('the batch holds no image: give at least one')
        inputs = _stacked(self.cast_data(data['inputs']))
        if self.reverse_channels:
            inputs = inputs.flip(1) if isinstance(inputs, Tensor) else [one.flip(0) for one in inputs]
        data = dict(data, inputs=inputs)
        if not isinstance(data.get('data_samples'), Mapping):
            return super().forward(data, training)
        if training and self.batch_augments is not None:
            raise InputError(
                "data_preprocessor.batch_augments change MMPose's samples, which tensor_collate does not keep: "
                "set train_dataloader.collate_fn=dict(_delete_=True, type='pseudo_collate')"
            )
        return ImgDataPreprocessor.forward(self, data, training)

    def _get_pad_shape(self, data: dict) -> list[tuple]:
        """(h, w) of each padded image. (Of a stacked batch MMPose returns (channels, h).)"""
        return super()._get_pad_shape(dict(data, inputs=list(data['inputs'])))


def _stacked(inputs: Tensor | Sequence[Tensor]) -> Tensor | Sequence[Tensor]:
    """One tensor, if the images are of one shape."""
    if isinstance(inputs, Tensor) or len({one.shape for one in inputs}) != 1:
        return inputs
    return torch.stack(tuple(inputs))
