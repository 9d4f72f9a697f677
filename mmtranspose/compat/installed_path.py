"""Find packages that were installed with ``pip install -e``.

Fault: mmengine looks for ``package::...`` configs in the folder that ``pkg_resources`` names. For an editable install
by a current pip (PEP 660) that is site-packages, where the package is not.
Versions: mmengine <= 0.10.7.
Can go: when ``mmengine.utils.get_installed_path`` asks the import system.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec

from mmtranspose.compat.patching import replace_once, when_imported

USERS = ('mmengine.utils.package_utils', 'mmengine.utils', 'mmengine.config.config', 'mmengine.hub.hub')


def apply() -> None:
    """Correct ``get_installed_path`` in every module that has it."""
    for name in USERS:
        when_imported(name, functools.partial(_correct, name))


def _correct(module: str) -> None:
    replace_once(import_module(module), 'get_installed_path', corrected)


def corrected(get_installed_path: Callable[[str], str]) -> Callable[[str], str]:
    """Make a function that returns the import system's answer if the path of mmengine's does not exist."""

    def wrapper(package: str) -> str:
        path = get_installed_path(package)
        spec = None if os.path.exists(path) else find_spec(package)
        return path if spec is None or spec.origin is None else os.path.dirname(spec.origin)

    return wrapper
