"""Find packages without ``pkg_resources``.

Faults: mmengine imports ``pkg_resources`` to find the packages that ``package::...`` configs are in. setuptools 82 has
none any more, earlier ones warn that it will go; for an editable install by a current pip (PEP 660) it names
site-packages, where the package is not.
Versions: mmengine <= 0.10.7.
Can go: when ``mmengine.utils.package_utils`` asks the import system.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from importlib import import_module, metadata
from importlib.util import find_spec

from mmtranspose.compat.patching import replace_once, when_imported

USERS = ('mmengine.utils.package_utils', 'mmengine.utils', 'mmengine.config.config', 'mmengine.hub.hub')


def apply() -> None:
    """Replace the functions that find packages in every module that has them."""
    for name in USERS:
        when_imported(name, functools.partial(_correct, name))


def _correct(name: str) -> None:
    module = import_module(name)
    for make in (installed_path, is_installed, module_of):
        function = FUNCTIONS[make]
        if hasattr(module, function):
            replace_once(module, function, make)


def installed_path(original: Callable[[str], str]) -> Callable[[str], str]:  # noqa: ARG001
    """Make ``get_installed_path``: from a module or distribution to the folder of the module.

    What it makes raises ``PackageNotFoundError`` where neither is installed, ``RuntimeError`` for a namespace package.
    """

    def get_installed_path(package: str) -> str:
        spec = find_spec(package) or find_spec(_module(package))
        if spec is None or spec.origin is None:
            raise RuntimeError(f'{package} is a namespace package: it has no folder of its own')
        return os.path.dirname(spec.origin)

    return get_installed_path


def is_installed(original: Callable[[str], bool]) -> Callable[[str], bool]:  # noqa: ARG001
    """Make ``is_installed``: whether there is a module (no namespace package) or distribution of a name."""

    def is_installed(package: str) -> bool:
        try:
            metadata.distribution(package)
        except metadata.PackageNotFoundError:
            spec = find_spec(package)
            return spec is not None and spec.origin is not None
        return True

    return is_installed


def module_of(original: Callable[[str], str]) -> Callable[[str], str]:  # noqa: ARG001
    """Make ``package2module``: from a distribution to its first module."""
    return _module


def _module(package: str) -> str:
    named = metadata.distribution(package).read_text('top_level.txt')
    if not named:
        raise ValueError(f'the module of the distribution {package} is not known: it has no top_level.txt')
    return named.split()[0]


FUNCTIONS = {installed_path: 'get_installed_path', is_installed: 'is_installed', module_of: 'package2module'}
