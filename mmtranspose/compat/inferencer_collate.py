"""Let inferencers use configs whose test loader has a ``collate_fn``.

Fault: mmengine's inferencer takes ``collate_fn=dict(type=...)``, the form that mmengine's runner wants, for the name of
a function in the registry, and raises TypeError.
Versions: mmengine <= 0.10.7.
Can go: when ``BaseInferencer._init_collate`` takes a dict.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from mmengine.config import Config

from mmtranspose.compat.patching import replace_once


def apply() -> None:
    """Make inferencers build ``collate_fn`` as the runner does."""
    from mmengine.infer.infer import BaseInferencer

    replace_once(BaseInferencer, '_init_collate', _taking_dicts)


def _taking_dicts(init_collate: Callable) -> Callable:
    from mmengine.registry import FUNCTIONS

    def takes_dicts(self: Any, cfg: Config) -> Callable:
        collate = (cfg.get('test_dataloader') or {}).get('collate_fn')
        if not isinstance(collate, dict):
            return init_collate(self, cfg)
        options = {key: value for key, value in collate.items() if key not in ('type', '_scope_')}
        function = FUNCTIONS.get(collate['type'])
        if function is None:
            raise KeyError(f'test_dataloader.collate_fn.type={collate["type"]!r} is not registered in FUNCTIONS')
        return functools.partial(function, **options)

    return takes_dicts
