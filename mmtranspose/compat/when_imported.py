"""Calls a function right after a module is imported, so that mending a slow module does not mean loading it.

No fault of its own: ``import mmtranspose`` must stay as quick as ``import mmpose``, and mmengine's runner and
inferencer, which the other files here mend, take a second each to load.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from importlib.abc import MetaPathFinder

_waiting: dict[str, list[Callable[[], None]]] = {}
_sought: set[str] = set()


class _Finder(MetaPathFinder):
    """Finds the awaited modules with the other finders, and lets their loaders call what waits for them."""

    def find_spec(self, name, path=None, target=None):
        if name not in _waiting or name in _sought:
            return None
        _sought.add(name)  # the search below asks this finder too
        try:
            spec = importlib.util.find_spec(name)
        finally:
            _sought.discard(name)
        if spec is None or spec.loader is None:
            return spec
        load = spec.loader.exec_module

        def exec_module(module):
            load(module)
            for function in _waiting.pop(name, ()):
                function()

        spec.loader.exec_module = exec_module
        return spec


def when_imported(name: str, function: Callable[[], None]) -> None:
    """Call ``function`` once the module ``name`` is loaded: now if it is, else at the end of its first import."""
    if name in sys.modules:
        function()
        return
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
    _waiting.setdefault(name, []).append(function)
