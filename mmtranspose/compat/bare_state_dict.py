"""Let a run start from a checkpoint that is a bare state dict.

Fault: hooks of mmengine's runner (``EMAHook``) look for ``state_dict`` in what a checkpoint file holds, and fail if the
file holds the weights themselves.
Versions: mmengine <= 0.10.7.
Can go: when the runner gives its hooks a bare state dict as ``{'state_dict': ...}``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mmtranspose.compat.patching import replace_once


def apply() -> None:
    """Make the runner give its hooks a dict with ``state_dict``, whatever the file holds."""
    import mmengine.runner.runner as runner

    replace_once(runner, '_load_checkpoint', with_state_dict)


def with_state_dict(load: Callable[..., Any]) -> Callable[..., Any]:
    """Make mmengine's ``_load_checkpoint`` return ``state_dict`` always, without ``module.`` before the names."""

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        content = load(*args, **kwargs)
        state_dict = state_dict_of(content)
        if state_dict is None:
            return content
        return {**(content if 'state_dict' in content else {}), 'state_dict': state_dict}

    return wrapper


def state_dict_of(content: object) -> dict | None:
    """Find the weights in what a checkpoint file holds: bare, or under ``state_dict``.

    Returns:
        dict | None: The weights by name, without the ``module.`` of a wrapper for distributed training. None if the
        file holds no dict of weights.
    """
    weights = content.get('state_dict', content) if isinstance(content, dict) else None
    if not isinstance(weights, dict):
        return None
    return {name.removeprefix('module.') if isinstance(name, str) else name: value for name, value in weights.items()}
