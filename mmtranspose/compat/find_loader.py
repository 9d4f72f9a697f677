"""Look for mmcv's compiled operators without ``pkgutil.find_loader``.

Fault: mmengine and mmcv ask ``pkgutil.find_loader`` whether ``mmcv._ext`` is there. Python 3.12 warns that the function
will go, and Python 3.14 has none: every optimiser and every model for several GPUs stops there.
Versions: mmengine <= 0.10.7, mmcv <= 2.1.
Can go: when both ask ``importlib.util.find_spec``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec

from mmtranspose.compat.patching import replace_once, when_imported

USERS = {  # modules, and their name for the function
    'mmengine.utils.dl_utils.misc': 'mmcv_full_available',
    'mmengine.utils.dl_utils': 'mmcv_full_available',
    'mmengine.model.utils': 'mmcv_full_available',
    'mmengine.optim.optimizer.default_constructor': 'mmcv_full_available',
    'mmpose.engine.optim_wrappers.force_default_constructor': 'mmcv_full_available',
    'mmcv.utils.ext_loader': 'check_ops_exist',
}


def apply() -> None:
    """Replace the function in every module that has it."""
    for name, function in USERS.items():
        when_imported(name, functools.partial(_correct, name, function))


def _correct(name: str, function: str) -> None:
    replace_once(import_module(name), function, has_operators)


def has_operators(original: Callable[[], bool]) -> Callable[[], bool]:  # noqa: ARG001
    """Make a function that says whether there is a module ``mmcv._ext``."""
    return lambda: find_spec('mmcv._ext') is not None
