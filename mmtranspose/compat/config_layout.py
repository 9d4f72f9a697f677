"""Lay out a config once, not for every file that it is written into.

Fault: mmengine formats the whole config by yapf for each checkpoint, and four times at the start of a run: 0.4 s each
for a small config, most of the time of a short training.
Versions: mmengine <= 0.10.7, mmengine-lite <= 0.10.7.
Can go: when mmengine keeps the text, or formats it without yapf.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from mmtranspose.compat.patching import replace_once

KEPT = 4  # texts: a run writes the same one again and again


def apply() -> None:
    """Change :mod:`mmengine.config.config`. Call it once that is imported."""
    from mmengine.config import config

    replace_once(config, 'FormatCode', _with_memory)


def _with_memory(original: Callable) -> Callable:
    kept: dict[tuple[str, str], Any] = {}
    lock = threading.Lock()

    def FormatCode(text: str, **options: Any) -> Any:
        key = (text, repr(options))
        formatted = kept.get(key)
        if formatted is None:
            formatted = original(text, **options)
            with lock:
                while len(kept) >= KEPT:
                    kept.pop(next(iter(kept)))
                kept[key] = formatted  # another thread may drop it at once
        return formatted

    return FormatCode
