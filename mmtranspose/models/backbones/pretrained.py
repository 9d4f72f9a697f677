"""Check that a stem's pretrained weights are of this stem."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pickle import UnpicklingError

from mmengine.logging import print_log
from mmengine.model import BaseModule
from mmengine.runner.checkpoint import CheckpointLoader
from torch import Tensor

from mmtranspose.compat.bare_state_dict import state_dict_of
from mmtranspose.compat.checkpoint_files import DamagedFileError
from mmtranspose.errors import InputError, reason
from mmtranspose_cli.terminal import printable

CLASSIFIERS = ('fc.', 'classifier.', 'head.', 'incre_modules.', 'downsamp_modules.', 'final_layer.')


def require_pretrained(backbone: BaseModule, later: Sequence[str]) -> None:
    """Refuse an ``init_cfg`` whose file is not of this stem. (mmengine would only warn.)

    A warning names tensors of the file that belong to no layer of the stem, no later layer and no classifier.

    Args:
        backbone (BaseModule): Its ``init_cfg`` is checked if it is ``dict(type='Pretrained', checkpoint=...,
            prefix=...)``, or a list that contains such a dict.
        later (Sequence[str]): Beginnings of the names of layers that the full network has after the stem.

    Raises:
        InputError: The file cannot be loaded; it lacks a parameter of the stem or has it in another shape; or it has
            further parameters for a layer of the stem.
    """
    starts = backbone.init_cfg if isinstance(backbone.init_cfg, list) else [backbone.init_cfg]
    for start in starts:
        if isinstance(start, dict) and start.get('type') == 'Pretrained':
            weights = _load(start['checkpoint'], start.get('prefix') or '')
            _compare(backbone, weights, start['checkpoint'], (*later, *CLASSIFIERS))


def _load(checkpoint: str, prefix: str) -> dict[str, Tensor]:
    try:
        content = CheckpointLoader.load_checkpoint(checkpoint, map_location='cpu')
    except (OSError, EOFError, RuntimeError, UnpicklingError, DamagedFileError) as error:
        raise InputError(
            f'backbone.init_cfg: {checkpoint} cannot be loaded ({reason(error)}); give the path of a file, or '
            'init_cfg=None to start from random weights'
        ) from error
    weights = state_dict_of(content)
    if weights is None:
        raise InputError(f'backbone.init_cfg: {checkpoint} holds no dict of weights')
    if prefix:  # mmengine takes it with and without the dot
        prefix = prefix.rstrip('.') + '.'
        return {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}
    return weights


def _compare(backbone: BaseModule, weights: dict[str, Tensor], checkpoint: str, leftover: tuple[str, ...]) -> None:
    wanted = {name: value for name, value in backbone.state_dict().items() if not name.endswith('num_batches_tracked')}
    unset = [name for name, value in wanted.items() if getattr(weights.get(name), 'shape', None) != value.shape]
    ours = {name.split('.')[0] for name in wanted}
    extra = [name for name in weights if name not in backbone.state_dict() and not name.startswith(leftover)]
    of_ours = [name for name in extra if name.split('.')[0] in ours]
    for names, what in ((unset, 'does not set'), (of_ours, 'brings unknown')):
        if names:
            raise InputError(
                f'backbone.init_cfg: {checkpoint} {what} {", ".join(names[:10])} ({len(names)} in all) of '
                f'{type(backbone).__name__}; give ImageNet weights of this network, or init_cfg=None to start from '
                'nothing'
            )
    if extra:
        words = f'{checkpoint} has {len(extra)} tensors that no {type(backbone).__name__} knows: {extra[:10]}'
        print_log(printable(words), logger='current', level=logging.WARNING)
