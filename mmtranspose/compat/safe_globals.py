"""Loading mmengine's checkpoints with ``weights_only=True``.

Fault: since torch 2.6 ``torch.load`` refuses classes it does not know, and mmengine's checkpoints hold some (numpy
arrays and scalars in the log, ``HistoryBuffer``); so ``--resume`` and ``tools/test.py`` fail with UnpicklingError.
Loading with ``weights_only=False`` would run any code that a file brings; the list below names harmless data types.
Versions: torch >= 2.6 with mmengine <= 0.10.7.
Can go: when mmengine registers its own safe globals.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

import numpy as np
import torch

STATISTICS = ('min', 'max', 'current', 'mean')


def history_buffer_statistic(owner: type, name: str) -> Callable:
    """What ``builtins.getattr`` becomes while loading: a method of ``HistoryBuffer``, nothing else.

    ``HistoryBuffer`` pickles its statistics as ``getattr(HistoryBuffer, 'mean')``. The real ``getattr`` on the
    list would give a file a way to every object that Python holds.

    Raises:
        ValueError: Another object or attribute is asked for.
    """
    from mmengine.logging import HistoryBuffer

    if owner is not HistoryBuffer or name not in STATISTICS:
        raise ValueError(f'refused to read attribute {name!r} of {owner!r} from a checkpoint')
    return getattr(HistoryBuffer, name)


def _safe_globals() -> list:
    from mmengine.logging import HistoryBuffer

    core = 'numpy._core' if int(np.__version__.split('.')[0]) >= 2 else 'numpy.core'
    multiarray = import_module(f'{core}.multiarray')
    # A file names numpy's functions by the numpy that wrote it: 1.x numpy.core, 2.x numpy._core.
    named = [
        (function, f'{module}.multiarray.{function.__name__}')
        for function in (multiarray._reconstruct, multiarray.scalar)
        for module in ('numpy.core', 'numpy._core')
    ]
    dtypes = [getattr(np.dtypes, name) for name in np.dtypes.__all__]
    return [HistoryBuffer, np.ndarray, np.dtype, *dtypes, *named, (history_buffer_statistic, 'builtins.getattr')]


def apply() -> None:
    """Add the data types of mmengine's checkpoints to torch's list of safe globals."""
    if hasattr(torch.serialization, 'add_safe_globals'):
        torch.serialization.add_safe_globals(_safe_globals())
