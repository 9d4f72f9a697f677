"""Where a package is that was installed with ``pip install -e``.

Fault: mmengine looks for ``package::...`` configs in the folder that ``pkg_resources`` names. For an editable install
of today's pip (PEP 660) that is site-packages, where the package is not.
Versions: mmengine <= 0.10.7.
Can go: when ``mmengine.utils.get_installed_path`` asks the import system.
"""

from __future__ import annotations

import functools
import os
from importlib import import_module
from importlib.util import find_spec

from mmtranspose.compat.when_imported import when_imported

USERS = ('mmengine.utils.package_utils', 'mmengine.utils', 'mmengine.config.config', 'mmengine.hub.hub')


def corrected(get_installed_path):
    """mmengine's function, with the import system's answer where its own does not exist."""

    @functools.wraps(get_installed_path)
    def wrapper(package: str) -> str:
        path = get_installed_path(package)
        spec = None if os.path.exists(path) else find_spec(package)
        return path if spec is None or spec.origin is None else os.path.dirname(spec.origin)

    wrapper.asks_import_system = True
    return wrapper


def apply() -> None:
    """Correct the function in every module that has it."""

    def correct(name: str) -> None:
        module = import_module(name)
        if not hasattr(module.get_installed_path, 'asks_import_system'):
            module.get_installed_path = corrected(module.get_installed_path)

    for name in USERS:
        when_imported(name, functools.partial(correct, name))
