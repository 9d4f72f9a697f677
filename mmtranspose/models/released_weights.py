"""The authors' released weights, recognised by their names and renamed while they load.

Their release (https://github.com/yangsenius/TransPose, tag Hub) names the parts ``reduce``, ``pos_embedding``,
``global_encoder``, ``deconv_layers`` and ``final_layer``, with the stem's layers at the top level. A fine-tuning run of
their code saves the same names behind ``module.``.
"""

from __future__ import annotations

import functools

import torch
from mmpose.models.pose_estimators.base import BasePoseEstimator
from torch import Tensor, nn

from mmtranspose.models.layers import SinePositionEncoding
from mmtranspose.models.necks import TransPoseNeck
from mmtranspose.typing import PoseEstimator

MAPPING_VERSION = 1  # of the names below and of what becomes of pos_embedding
SIGNATURE = 'global_encoder.layers.'
POSITION = 'pos_embedding'
OUR_POSITION = 'neck.position_encoding.weight'
RENAMED = {
    'reduce.': 'neck.projection.',
    'global_encoder.': 'neck.encoder.',
    'deconv_layers.': 'head.deconv_layers.',
    'final_layer.': 'head.final_layer.',
}


def is_released(state_dict: dict, prefix: str = '') -> bool:
    """Whether the names in ``state_dict`` (behind ``prefix``) are those of the authors' release."""
    return any(name.startswith(prefix + SIGNATURE) for name in state_dict)


def rename(name: str) -> str:
    """The name that a tensor of the release has in our model; what is no part of neck or head is the stem's."""
    for theirs, ours in RENAMED.items():
        if name.startswith(theirs):
            return ours + name[len(theirs) :]
    return f'backbone.{name}'


def released_name(name: str) -> str:
    """The name that a tensor of our model has in the release: the inverse of :func:`rename`."""
    if name == OUR_POSITION:
        return POSITION
    for theirs, ours in RENAMED.items():
        if name.startswith(ours):
            return theirs + name[len(ours) :]
    return name.removeprefix('backbone.')


def is_sine_table(table: Tensor, encoding: SinePositionEncoding) -> bool:
    """Whether a table (h * w, d) is what ``encoding`` computes for some grid (h, w)."""
    if table.ndim != 2 or table.shape[1] != encoding.embed_dims:
        return False
    tokens = len(table)
    heights = (h for h in range(1, tokens + 1) if tokens % h == 0)
    return any(torch.allclose(encoding.table(h, tokens // h), table.float(), atol=1e-3) for h in heights)


def convert_released(state_dict: dict, model: nn.Module | PoseEstimator, prefix: str = '') -> None:
    """Rename a released state dict in place, to be loaded into ``model``.

    ``pos_embedding`` (h * w, 1, d) becomes the learnable encoding's weight (h * w, d). For the sine encoding, which is
    computed, a sine table is dropped; any other table keeps that name, and is then unknown to the model.

    Args:
        state_dict (dict): Names to tensors, the authors' names behind ``prefix``.
        model (nn.Module): A pose estimator whose neck is a :class:`TransPoseNeck`.
        prefix (str): What stands before the model's names in ``state_dict``.
    """
    position = state_dict.pop(prefix + POSITION, None)
    for name in [name for name in state_dict if name.startswith(prefix)]:
        state_dict[prefix + rename(name[len(prefix) :])] = state_dict.pop(name)
    if position is not None:
        table = position.flatten(0, -2) if position.ndim > 1 else position[None]
        encoding = model.neck.position_encoding
        if not (isinstance(encoding, SinePositionEncoding) and is_sine_table(table, encoding)):
            state_dict[prefix + OUR_POSITION] = table


def adopt(state_dict: dict, model: nn.Module | PoseEstimator, prefix: str = '') -> dict:
    """The state dict in our names: a renamed copy if it is a release's and the model a TransPose, else itself."""
    if not (isinstance(getattr(model, 'neck', None), TransPoseNeck) and is_released(state_dict, prefix)):
        return state_dict
    renamed = dict(state_dict)
    convert_released(renamed, model, prefix)
    return renamed


def lacks_position(state_dict: dict, model: nn.Module | PoseEstimator) -> bool:
    """Whether a release's weights come without the sine table that belongs to the model.

    The release stores that table, so a file without it is damaged or was trained without positions.
    """
    sine = isinstance(getattr(getattr(model, 'neck', None), 'position_encoding', None), SinePositionEncoding)
    return sine and is_released(state_dict) and POSITION not in state_dict


def accept_released_weights() -> None:
    """Let MMPose's pose estimators with a :class:`TransPoseNeck` load released weights by every road there is.

    MMPose's estimator has a pre-hook that renames weights of older MMPose versions; ours goes before it.
    """
    theirs = BasePoseEstimator._load_state_dict_pre_hook
    if getattr(theirs, 'accepts_released', False):
        return

    @functools.wraps(theirs)
    def hook(self, state_dict, prefix, *args, **kwargs):
        if isinstance(getattr(self, 'neck', None), TransPoseNeck) and is_released(state_dict, prefix):
            convert_released(state_dict, self, prefix)
        return theirs(self, state_dict, prefix, *args, **kwargs)

    hook.accepts_released = True
    BasePoseEstimator._load_state_dict_pre_hook = hook
