"""Prepare a loader's batch for the network, without waiting for the device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from numbers import Real
from typing import Any

import numpy as np
import torch
from mmengine.model import ImgDataPreprocessor
from mmpose.models.data_preprocessors import PoseDataPreprocessor
from mmpose.registry import MODELS
from torch import Tensor, nn

from mmtranspose.errors import InputError
from mmtranspose.typing import Batch


@MODELS.register_module()
class TransPoseDataPreprocessor(PoseDataPreprocessor):
    """MMPose's :class:`PoseDataPreprocessor`, which also takes the batches of tensors that ``tensor_collate`` makes.

    Values are the same as with MMPose's. Images of one size are normalised together. Channels are reversed by a flip;
    MMPose's list of indices would have to be copied to the device first, and the host would wait for that.

    Args:
        *args, **kwargs: Arguments of ``PoseDataPreprocessor``. With ``non_blocking=True``, images are copied from
            pinned memory (``pin_memory=True`` of the loader) while the device is busy.

    Raises:
        InputError: ``mean`` and ``std`` are not three numbers each (or one, or None), or a ``std`` is not positive.
    """

    _channel_conversion: bool

    def __init__(self, *args: Any, **kwargs: Any):
        _check_normalisation(*args[:2], **{name: kwargs[name] for name in ('mean', 'std') if name in kwargs})
        super().__init__(*args, **kwargs)
        self.reverse_channels, self._channel_conversion = self._channel_conversion, False

    def forward(self, data: Batch, training: bool = False) -> Batch:
        """Move a batch to the device, reverse the images' channels, normalise and pad them.

        Args:
            data (dict): ``inputs``: B tensors (3, H, W) or one (B, 3, H, W), uint8, BGR. ``data_samples``: a list of B
                ``PoseDataSample``, or a dict of tensors (B, ...).
            training (bool): Whether to apply ``batch_augments``.

        Returns:
            dict: ``inputs`` (B, 3, H, W), float32; ``data_samples`` in the form in which they were given.

        Raises:
            InputError: The batch is empty; or there are ``batch_augments``, which take only a list of samples.
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

    def _get_pad_shape(self, data: Batch) -> list[tuple[int, int]]:
        """The size (h, w) of each padded image. (For a stacked batch MMPose returns (channels, h).)"""
        return super()._get_pad_shape(dict(data, inputs=list(data['inputs'])))


def reverses_channels(preprocessor: nn.Module) -> bool:
    """Whether a data preprocessor, MMPose's or ours, turns a loader's BGR into RGB, or RGB into BGR."""
    return bool(getattr(preprocessor, 'reverse_channels', False) or getattr(preprocessor, '_channel_conversion', False))


def mean_colour(preprocessor: nn.Module) -> np.ndarray | None:
    """The colour that a data preprocessor's normalisation turns into 0: (3,), in the order of the loader's channels.

    None if it does not normalise.
    """
    mean = getattr(preprocessor, 'mean', None)
    if mean is None:
        return None
    colour = np.broadcast_to(mean.detach().float().cpu().numpy().ravel(), 3)
    return colour[::-1] if reverses_channels(preprocessor) else colour


def _check_normalisation(mean: Sequence[float] | None = None, std: Sequence[float] | None = None) -> None:
    if (mean is None) != (std is None):
        raise InputError('mean and std: give both or neither')
    for name, values in (('mean', mean), ('std', std)):
        if values is not None and (not isinstance(values, Sequence) or len(values) not in (1, 3)):
            raise InputError(f'{name}={values} must be a list of three numbers, or of one for all channels')
        if not all(isinstance(value, Real) and isfinite(value) for value in values or ()):
            raise InputError(f'{name}={values}: each value must be a number')
    if std is not None and min(std) <= 0:
        raise InputError(f'std={std}: each value must be greater than 0')


def _stacked(inputs: Tensor | Sequence[Tensor]) -> Tensor | Sequence[Tensor]:
    """Stack the images if they have the same shape."""
    if isinstance(inputs, Tensor) or len({one.shape for one in inputs}) != 1:
        return inputs
    return torch.stack(tuple(inputs))
