"""ImageNet weights that must be the stem's."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pickle import UnpicklingError

from mmengine.logging import print_log
from mmengine.model import BaseModule
from mmengine.runner.checkpoint import CheckpointLoader
from torch import Tensor

from mmtranspose.compat.bare_state_dict import state_dict_of
from mmtranspose.errors import InputError, reason

CLASSIFIERS = ('fc.', 'classifier.', 'head.', 'incre_modules.', 'downsamp_modules.', 'final_layer.')


def require_pretrained(backbone: BaseModule, later: Sequence[str]) -> None:
    """Refuse an ``init_cfg`` whose file is not of this stem; mmengine would only warn.

    Args:
        backbone (BaseModule): With ``init_cfg=dict(type='Pretrained', checkpoint=..., prefix=...)``, perhaps in a list;
            any other start is left alone.
        later (Sequence[str]): What the names of the network's later layers begin with, which the stem does without.

    Raises:
        InputError: The file cannot be loaded; a parameter is missing or has another shape; one of the stem's layers has
            more of them than the stem. (Others that are neither later layers nor a classifier's get a warning.)
    """
    starts = backbone.init_cfg if isinstance(backbone.init_cfg, list) else [backbone.init_cfg]
    for start in starts:
        if isinstance(start, dict) and start.get('type') == 'Pretrained':
            weights = _load(start['checkpoint'], start.get('prefix') or '')
            _compare(backbone, weights, start['checkpoint'], (*later, *CLASSIFIERS))


def _load(checkpoint: str, prefix: str) -> dict[str, Tensor]:
    try:
        content = CheckpointLoader.load_checkpoint(checkpoint, map_location='cpu')
    except (OSError, EOFError, RuntimeError, UnpicklingError) as error:
        raise InputError(
            f'backbone.init_cfg: {checkpoint} cannot be loaded ({reason(error)}); give the path of a file, or '
            'init_cfg=None to start from nothing'
        ) from error
    weights = state_dict_of(content)
    if weights is None:
        raise InputError(f'backbone.init_cfg: {checkpoint} holds no dict of weights')
    if prefix:  # as mmengine takes it, with or without the dot
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
        print_log(words, logger='current', level=logging.WARNING)
