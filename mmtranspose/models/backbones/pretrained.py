"""ImageNet weights that must be the stem's."""

from __future__ import annotations

from collections.abc import Sequence

from mmengine.model import BaseModule
from mmengine.runner.checkpoint import CheckpointLoader

from mmtranspose.errors import InputError


def require_pretrained(backbone: BaseModule, leftover: Sequence[str]) -> None:
    """Refuse an ``init_cfg`` whose file does not set every parameter of the backbone; mmengine would only warn.

    Args:
        backbone (BaseModule): With ``init_cfg=dict(type='Pretrained', checkpoint=..., prefix=...)``; any other start
            is left alone.
        leftover (Sequence[str]): What the names of tensors that the file may have besides begin with.

    Raises:
        InputError: A parameter is missing or has another shape, or the file has others than ``leftover``.
    """
    start = backbone.init_cfg
    if not isinstance(start, dict) or start.get('type') != 'Pretrained':
        return
    prefix = start.get('prefix') or ''
    content = CheckpointLoader.load_checkpoint(start['checkpoint'], map_location='cpu')
    weights = content.get('state_dict', content)
    weights = {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}
    wanted = backbone.state_dict()
    unset = [
        name
        for name, value in wanted.items()
        if not name.endswith('num_batches_tracked') and (name not in weights or weights[name].shape != value.shape)
    ]
    unknown = [name for name in weights if name not in wanted and not name.startswith(tuple(leftover))]
    for names, what in ((unset, 'does not set'), (unknown, 'brings unknown')):
        if names:
            raise InputError(
                f'backbone.init_cfg: {start["checkpoint"]} {what} {", ".join(names[:10])} '
                f'({len(names)} in all) of {type(backbone).__name__}; give ImageNet weights of this network, '
                'or init_cfg=None to start from nothing'
            )
