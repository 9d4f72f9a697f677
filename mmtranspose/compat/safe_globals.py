"""Load mmengine's checkpoints with ``weights_only=True``.

Fault: since version 2.6 ``torch.load`` refuses classes that it does not know. mmengine's checkpoints contain some
(numpy arrays and scalars in the log, ``HistoryBuffer``), so ``--resume`` and ``tools/test.py`` fail with
UnpicklingError. ``weights_only=False`` would run any code that a file contains; instead, this file names the harmless
data types.
Versions: torch >= 2.6 with mmengine <= 0.10.7.
Can go: when mmengine registers its own safe globals.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import torch

STATISTICS = ('min', 'max', 'current', 'mean')


def apply() -> None:
    """Add the data types of mmengine's checkpoints to torch's list of safe globals."""
    if hasattr(torch.serialization, 'add_safe_globals'):
        torch.serialization.add_safe_globals(_safe_globals())


def history_buffer_statistic(owner: type, name: str) -> Callable:
    """Stand in for ``builtins.getattr`` while a file is loaded, for methods of ``HistoryBuffer`` only.

    ``HistoryBuffer`` pickles its statistics as ``getattr(HistoryBuffer, 'mean')``. With the real ``getattr`` a file
    could reach every object in the process.

    Raises:
        ValueError: The file asks for another object or attribute.
    """
    from mmengine.logging import HistoryBuffer

    if owner is not HistoryBuffer or name not in STATISTICS:
        raise ValueError(f'refused to read attribute {name!r} of {owner!r} from a checkpoint')
    return getattr(HistoryBuffer, name)


def _safe_globals() -> list[Any]:
    from mmengine.logging import HistoryBuffer

    core = 'numpy._core' if int(np.__version__.split('.')[0]) >= 2 else 'numpy.core'
    multiarray = import_module(f'{core}.multiarray')
    # Files written with numpy 1.x name numpy.core, those written with numpy 2.x numpy._core.
    named = [
        (function, f'{module}.multiarray.{function.__name__}')
        for function in (multiarray._reconstruct, multiarray.scalar)
        for module in ('numpy.core', 'numpy._core')
    ]
    dtypes = [getattr(np.dtypes, name) for name in np.dtypes.__all__]
    return [HistoryBuffer, np.ndarray, np.dtype, *dtypes, *named, (history_buffer_statistic, 'builtins.getattr')]
