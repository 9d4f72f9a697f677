"""Load mmengine's checkpoints with ``weights_only=True``.

Fault: since version 2.6 ``torch.load`` refuses classes that it does not know. mmengine's checkpoints contain some
(numpy arrays and scalars in the log and in the dataset's metainfo, ``HistoryBuffer``), so ``--resume`` and
``tools/test.py`` fail with UnpicklingError. Notes of hooks in the message hub may be of Python's other data types.
``weights_only=False`` would run any code that a file contains; instead, this file names the harmless data types.
Versions: torch >= 2.6 with mmengine <= 0.10.7.
Can go: when mmengine registers its own safe globals.
"""

from __future__ import annotations

import argparse
import datetime
import pathlib
import types
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any

import numpy as np
import torch

STATISTICS = ('min', 'max', 'current', 'mean')
# An empty numpy array names bytes, a type as an object of its own (dtype=float) names itself.
BUILTINS = (bytes, frozenset, range, slice, bool, int, float, str, list, tuple, dict)
OTHERS = (
    datetime.date,
    datetime.datetime,
    datetime.time,
    datetime.timedelta,
    datetime.timezone,
    argparse.Namespace,
    types.SimpleNamespace,
)
PATHS = (pathlib.PurePosixPath, pathlib.PureWindowsPath, type(pathlib.Path()))
SCALARS = '?bBhHiIlLqQefdgFDGSUMmV'  # numpy's scalar types, by their characters


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


def plain_dict(factory: Callable | None = None) -> dict:  # noqa: ARG001  an argument of defaultdict
    """Stand in for ``collections.defaultdict``, into which ``torch.load`` would not put items."""
    return {}


def plain_list(items: Iterable = (), length: int | None = None) -> list:  # noqa: ARG001  an argument of deque
    """Stand in for ``collections.deque``, to which ``torch.load`` would not append."""
    return list(items)


def _safe_globals() -> list[Any]:
    from mmengine.config import ConfigDict
    from mmengine.logging import HistoryBuffer

    core = 'numpy._core' if int(np.__version__.split('.')[0]) >= 2 else 'numpy.core'
    multiarray = import_module(f'{core}.multiarray')
    # Files written with numpy 1.x name numpy.core, those written with numpy 2.x numpy._core.
    named = [
        (function, f'{module}.multiarray.{function.__name__}')
        for function in (multiarray._reconstruct, multiarray.scalar)
        for module in ('numpy.core', 'numpy._core')
    ]
    # Python 3.13 moved its paths to pathlib._local.
    named += [(path, f'{module}.{path.__name__}') for path in PATHS for module in ('pathlib', 'pathlib._local')]
    named += [(Ellipsis, 'builtins.Ellipsis'), (history_buffer_statistic, 'builtins.getattr')]
    named += [(plain_dict, 'collections.defaultdict'), (plain_list, 'collections.deque')]
    dtypes = [getattr(np.dtypes, name) for name in np.dtypes.__all__]
    scalars = {np.dtype(character).type for character in SCALARS}
    return [HistoryBuffer, ConfigDict, np.ndarray, np.dtype, *dtypes, *scalars, *BUILTINS, *OTHERS, *named]
