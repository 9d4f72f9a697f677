"""Predict the pose again with some tokens switched off: replaced by the mean of the image's tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from mmpose.structures import PoseDataSample
from torch import Tensor, nn

from mmtranspose.errors import InputError
from mmtranspose.explain.flip_test import RecordedPrediction, decoded, require_heatmap_flip, uses_flip_test
from mmtranspose.explain.interventions.ablated_tokens import replaced
from mmtranspose.explain.recording import evaluating, require_full_precision, require_transpose
from mmtranspose.typing import Batch, PoseEstimator


@torch.no_grad()
def heatmaps_without_tokens(
    model: PoseEstimator, inputs: Tensor, off: Tensor, flip_indices: Sequence[int] | None = None
) -> Tensor:
    """Predict heatmaps where tokens are replaced, as they enter the encoder, by the mean of the image's tokens.

    Args:
        model (PoseEstimator): A pose estimator with a :class:`TransPoseNeck`.
        inputs (Tensor): (B, 3, H, W), as the network takes them (normalised).
        off (Tensor): (B, h, w), bool, over the token grid: the tokens that are replaced.
        flip_indices (Sequence[int] | None): (K,), the number of each keypoint's counterpart on the other side, for a
            prediction averaged with the mirrored image's, in which the mirrored tokens are replaced; None: no average.

    Returns:
        Tensor: (B, K, H, W).

    Raises:
        UnsupportedModelError: The encoder cannot be read; see :func:`~mmtranspose.explain.recording.require_transpose`.
        InputError: ``off`` is not bool, or not over these images' token grids; the model is in half precision; or its
            ``test_cfg.flip_mode`` is not ``'heatmap'`` and ``flip_indices`` are given.
    """
    require_transpose(model)
    require_full_precision(model)
    if flip_indices is not None:
        require_heatmap_flip(model)
    if off.dtype != torch.bool or off.dim() != 3 or len(off) != len(inputs):
        raise InputError(
            f'tokens to switch off must be bool, of shape ({len(inputs)}, h, w), not {off.dtype} {tuple(off.shape)}'
        )
    off = off.to(inputs.device)
    both = off if flip_indices is None else torch.cat([off, off.flip(-1)])
    with evaluating(model), _replacing(model.neck.encoder, both.flatten(1)):
        prediction = RecordedPrediction.of(model, inputs, flip_indices)
    if prediction.run.grid != tuple(off.shape[1:]):  # a transposed one has as many tokens
        raise InputError(f'the token grid of the images is {prediction.run.grid}, (h, w), not {tuple(off.shape[1:])}')
    return prediction.heatmaps


@torch.no_grad()
def poses_without_tokens(model: PoseEstimator, batch: Batch, off: Tensor) -> list[PoseDataSample]:
    """Estimate the poses in crops with some tokens switched off, with the flip test where the model has it.

    Args:
        model (PoseEstimator): A pose estimator with a :class:`TransPoseNeck`.
        batch (Batch): From :func:`~mmtranspose.crops.crop_maker.prepare_crops`.
        off (Tensor): (B, h, w), bool, over the token grid. With none of them, the poses are those of the model.

    Returns:
        list[PoseDataSample]: The samples with ``pred_instances``, as ``model.test_step`` gives them.

    Raises:
        UnsupportedModelError, InputError: As :func:`heatmaps_without_tokens`.
    """
    with evaluating(model):
        data = model.data_preprocessor(batch, training=False)
        samples = data['data_samples']
        flip_indices = samples[0].metainfo['flip_indices'] if uses_flip_test(model) else None
        return decoded(model, heatmaps_without_tokens(model, data['inputs'], off, flip_indices), samples)


@contextmanager
def _replacing(encoder: nn.Module, off: Tensor) -> Iterator[None]:
    """Replace tokens ``off`` (V, N) of every batch of V that the encoder is given inside the ``with`` block."""

    def replace(_: nn.Module, given: tuple) -> tuple:
        if off.shape != given[0].shape[:2]:
            raise InputError(f'the images have {given[0].shape[1]} tokens, not {off.shape[1]}')
        return replaced(given[0], off), *given[1:]

    handle = encoder.register_forward_pre_hook(replace)
    try:
        yield
    finally:
        handle.remove()
