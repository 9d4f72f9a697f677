"""Let the processes of data loaders that do not inherit this one's memory import mmtranspose before mmpose.

Fault: where processes are spawned (Windows), or forked from a server (Python 3.14), a loader process unpickles its
dataset first, which imports mmpose: without xtcocotools that fails, the process ends, and the run waits for it.
Versions: mmengine <= 0.10.7, whose datasets are pickled so.
Can go: when ``xtcocotools_stand_in`` goes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from mmtranspose.compat.patching import replace_once


def apply() -> None:
    """Let mmengine's datasets, and MMPose's below them, name a function of mmtranspose where they are pickled."""
    base = sys.modules['mmengine.dataset.base_dataset']  # its package is still being imported
    replace_once(base.BaseDataset, '__reduce_ex__', _through_us)


def rebuild(function: Callable, *arguments: Any) -> Any:
    """Call a function. Whoever unpickles a call of this one imports mmtranspose, and only then ``function``."""
    return function(*arguments)


def _through_us(reduce: Callable) -> Callable:
    def through_us(self: Any, protocol: int) -> Any:
        reduced = reduce(self, protocol)
        if isinstance(reduced, str):
            return reduced
        function, arguments, *rest = reduced
        return (rebuild, (function, *arguments), *rest)

    return through_us
