"""Tools with which the work-arounds change other libraries: after a module's import, and only once.

``import mmtranspose`` must stay as quick as ``import mmpose``, and mmengine's runner and inferencer, which some of the
work-arounds change, take a second each to load. So they are changed when something else imports them.
"""

from __future__ import annotations

import functools
import importlib.util
import inspect
import sys
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

REPLACED_BY = 'replaced_by_mmtranspose'  # attribute of a replacement: what made it

_waiting: dict[str, list[Callable[[], None]]] = {}
_sought: set[str] = set()


def replace_once(owner: Any, name: str, make: Callable[[Callable], Callable]) -> None:
    """Replace a library's function by one that is made from it; do nothing if this was done before.

    Args:
        owner (module | type): Where the function is looked up.
        name (str): The function's name there; it may be a static method.
        make (Callable): Takes the original function and returns its replacement, which gets the original's name and
            docstring.
    """
    original = getattr(owner, name)
    makers = getattr(original, REPLACED_BY, ())
    maker = f'{make.__module__}.{make.__qualname__}'
    if maker in makers:
        return
    replacement = functools.wraps(original)(make(original))
    setattr(replacement, REPLACED_BY, (*makers, maker))
    is_static = isinstance(inspect.getattr_static(owner, name), staticmethod)
    setattr(owner, name, staticmethod(replacement) if is_static else replacement)


def when_imported(name: str, function: Callable[[], None]) -> None:
    """Call a function once a module is loaded: now if it is loaded already, otherwise at the end of its first import.

    Args:
        name (str): The module's full name.
        function (Callable): Called without arguments.
    """
    if name in sys.modules:
        function()
        return
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
    _waiting.setdefault(name, []).append(function)


class _Finder(MetaPathFinder):
    """Finds the awaited modules by the other finders, and lets their loaders call the functions that wait for them."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,  # noqa: ARG002  importlib's arguments
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        if fullname not in _waiting or fullname in _sought:
            return None
        _sought.add(fullname)  # the search below asks this finder too
        try:
            spec = importlib.util.find_spec(fullname)
        finally:
            _sought.discard(fullname)
        if spec is None or spec.loader is None:
            return spec
        load = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            load(module)
            for function in _waiting.pop(fullname, ()):
                function()

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]  # of this module's loader only
        return spec
