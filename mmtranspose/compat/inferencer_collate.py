"""Inferencers of configs whose test loader has a ``collate_fn``.

Fault: the inferencer takes the whole ``collate_fn=dict(type=...)``, as mmengine's runner wants it, for a name in the
registry, and raises TypeError.
Versions: mmengine <= 0.10.7.
Can go: when ``BaseInferencer._init_collate`` takes a dict.
"""

from __future__ import annotations

import functools
from collections.abc import Callable


def apply() -> None:
    """Let inferencers build ``collate_fn`` as the runner does."""
    from mmengine.infer.infer import BaseInferencer
    from mmengine.registry import FUNCTIONS

    init_collate = BaseInferencer._init_collate
    if getattr(init_collate, 'takes_dicts', False):
        return

    @functools.wraps(init_collate)
    def takes_dicts(self, cfg) -> Callable:
        collate = (cfg.get('test_dataloader') or {}).get('collate_fn')
        if not isinstance(collate, dict):
            return init_collate(self, cfg)
        options = {key: value for key, value in collate.items() if key not in ('type', '_scope_')}
        function = FUNCTIONS.get(collate['type'])
        if function is None:
            raise KeyError(f'test_dataloader.collate_fn.type={collate["type"]!r} is not registered in FUNCTIONS')
        return functools.partial(function, **options)

    takes_dicts.takes_dicts = True
    BaseInferencer._init_collate = takes_dicts
