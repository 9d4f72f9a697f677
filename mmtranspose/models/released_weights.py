"""Recognise the weights that TransPose's authors released, and rename them for this package's models.

The release (https://github.com/yangsenius/TransPose, tag Hub) calls the parts ``reduce``, ``pos_embedding``,
``global_encoder``, ``deconv_layers`` and ``final_layer``, and has the stem's layers at the top level. A fine-tuning run
of the authors' code saves the same names with the prefix ``module.``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from mmpose.models.pose_estimators.base import BasePoseEstimator
from torch import Tensor, nn

from mmtranspose.compat.patching import replace_once
from mmtranspose.models.layers import SinePositionEncoding
from mmtranspose.models.necks import TransPoseNeck
from mmtranspose.typing import PoseEstimator

MAPPING_VERSION = 1  # changes with the names below and with the conversion of pos_embedding
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
    """Whether the names in a state dict, after ``prefix``, are those of the authors' release."""
    return any(name.startswith(prefix + SIGNATURE) for name in state_dict)


def rename(name: str) -> str:
    """The name that a tensor of the release has in this package's models; it is of the stem unless of neck or head."""
    for theirs, ours in RENAMED.items():
        if name.startswith(theirs):
            return ours + name[len(theirs) :]
    return f'backbone.{name}'


def released_name(name: str) -> str:
    """The name in the release of a tensor of this package's models: the inverse of :func:`rename`."""
    if name == OUR_POSITION:
        return POSITION
    for theirs, ours in RENAMED.items():
        if name.startswith(ours):
            return theirs + name[len(ours) :]
    return name.removeprefix('backbone.')


def is_sine_table(table: Tensor, encoding: SinePositionEncoding) -> bool:
    """Whether a table (h * w, d) is what a sine encoding computes for some grid (h, w)."""
    if table.ndim != 2 or table.shape[1] != encoding.embed_dims:
        return False
    tokens = len(table)
    heights = (h for h in range(1, tokens + 1) if tokens % h == 0)
    return any(torch.allclose(encoding.table(h, tokens // h), table.float(), atol=1e-3) for h in heights)


def convert_released(state_dict: dict, model: nn.Module | PoseEstimator, prefix: str = '') -> None:
    """Rename a released state dict in place, so that it can be loaded into a model.

    ``pos_embedding`` (h * w, 1, d) becomes the weight (h * w, d) of the position encoding. If the model has the sine
    encoding, which stores nothing, a sine table is dropped; any other table stays, and loading will report it as
    unknown.

    Args:
        state_dict (dict): Tensors by the authors' names, each with ``prefix``.
        model (nn.Module): A pose estimator whose neck is a :class:`TransPoseNeck`.
        prefix (str): What stands before the model's names in ``state_dict``.
    """
    position = state_dict.pop(prefix + POSITION, None)
    for name in [name for name in state_dict if name.startswith(prefix)]:
        state_dict[prefix + rename(name[len(prefix) :])] = state_dict.pop(name)
    if position is not None:
        table = position.flatten(0, -2) if position.ndim > 1 else position[None]
        encoding = getattr(model.neck, 'position_encoding', None)
        if not (isinstance(encoding, SinePositionEncoding) and is_sine_table(table, encoding)):
            state_dict[prefix + OUR_POSITION] = table


def adopt(state_dict: dict, model: nn.Module | PoseEstimator, prefix: str = '') -> dict:
    """Return a state dict with this package's names.

    Returns:
        dict: A renamed copy, if the state dict is of the release and the model is a TransPose; otherwise the state dict
        itself.
    """
    if not (isinstance(getattr(model, 'neck', None), TransPoseNeck) and is_released(state_dict, prefix)):
        return state_dict
    renamed = dict(state_dict)
    convert_released(renamed, model, prefix)
    return renamed


def lacks_position(state_dict: dict, model: nn.Module | PoseEstimator) -> bool:
    """Whether released weights lack the sine table, although the model has a sine encoding.

    The release stores that table, so a file without it is damaged or was trained without positions.
    """
    sine = isinstance(getattr(getattr(model, 'neck', None), 'position_encoding', None), SinePositionEncoding)
    return sine and is_released(state_dict) and POSITION not in state_dict


def accept_released_weights() -> None:
    """Make every MMPose pose estimator with a :class:`TransPoseNeck` accept released weights in ``load_state_dict``.

    MMPose's estimator has a pre-hook that renames weights of older MMPose versions. This extends it.
    """
    replace_once(BasePoseEstimator, '_load_state_dict_pre_hook', _converting_released)


def _converting_released(pre_hook: Callable[..., None]) -> Callable[..., None]:
    def hook(self: BasePoseEstimator, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any) -> None:
        if isinstance(getattr(self, 'neck', None), TransPoseNeck) and is_released(state_dict, prefix):
            convert_released(state_dict, self, prefix)
        pre_hook(self, state_dict, prefix, *args, **kwargs)

    return hook
