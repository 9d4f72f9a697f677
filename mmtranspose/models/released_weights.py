"""The authors' released weights, recognised by their names and renamed while they load.

Their release (https://github.com/yangsenius/TransPose, tag Hub) names the parts ``reduce``, ``pos_embedding``,
``global_encoder``, ``deconv_layers`` and ``final_layer``, with the stem's layers at the top level. A fine-tuning run of
their code saves the same names behind ``module.``.
"""

from __future__ import annotations

import functools

from mmpose.models.pose_estimators.base import BasePoseEstimator
from torch import nn

from mmtranspose.models.layers import LearnablePositionEncoding
from mmtranspose.models.necks import TransPoseNeck

SIGNATURE = ('reduce.weight', 'global_encoder.layers.0.self_attn.in_proj_weight')
POSITION = 'pos_embedding'
RENAMED = {
    'reduce.': 'neck.projection.',
    'global_encoder.': 'neck.encoder.',
    'deconv_layers.': 'head.deconv_layers.',
    'final_layer.': 'head.final_layer.',
}


def is_released(state_dict: dict, prefix: str = '') -> bool:
    """Whether the names in ``state_dict`` (behind ``prefix``) are those of the authors' release."""
    return all(prefix + name in state_dict for name in SIGNATURE)


def rename(name: str) -> str:
    """The name that a tensor of the release has in our model; what is no part of neck or head is the stem's."""
    for theirs, ours in RENAMED.items():
        if name.startswith(theirs):
            return ours + name[len(theirs) :]
    return f'backbone.{name}'


def convert_released(state_dict: dict, model: nn.Module, prefix: str = '') -> None:
    """Rename a released state dict in place, to be loaded into ``model``.

    ``pos_embedding`` (h * w, 1, d) becomes a learnable encoding's weight (h * w, d); for the sine encoding, which is
    computed, and for None it is dropped.

    Args:
        state_dict (dict): Names to tensors, the authors' names behind ``prefix``.
        model (nn.Module): A pose estimator whose neck is a :class:`TransPoseNeck`.
        prefix (str): What stands before the model's names in ``state_dict``.
    """
    position = state_dict.pop(prefix + POSITION, None)
    for name in [name for name in state_dict if name.startswith(prefix)]:
        state_dict[prefix + rename(name[len(prefix) :])] = state_dict.pop(name)
    if position is not None and isinstance(model.neck.position_encoding, LearnablePositionEncoding):
        state_dict[prefix + 'neck.position_encoding.weight'] = position.squeeze(1)


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
