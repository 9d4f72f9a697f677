"""Give back the lock of mmengine's global instances when one cannot be had.

Fault: ``get_instance`` and ``get_current_instance`` (of loggers, visualisers, message hubs) take a lock and keep it if
they raise. The thread that was refused does not notice; every other thread waits for ever at its next line of the log.
Versions: mmengine <= 0.10.7.
Can go: when ``mmengine.utils.manager`` takes its lock by ``with``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mmtranspose.compat.patching import REPLACED_BY


def apply() -> None:
    """Let both functions of ``ManagerMixin`` give the lock back."""
    from mmengine.utils.manager import ManagerMixin

    if hasattr(ManagerMixin.get_instance, REPLACED_BY):
        return
    make, current = ManagerMixin.get_instance.__func__, ManagerMixin.get_current_instance.__func__

    def get_instance(cls: Any, name: str, **kwargs: Any) -> Any:
        with _given_back():
            return make(cls, name, **kwargs)

    def get_current_instance(cls: Any) -> Any:
        with _given_back():
            return current(cls)

    for new, old in ((get_instance, make), (get_current_instance, current)):
        new.__doc__ = old.__doc__
        setattr(new, REPLACED_BY, (__name__,))
        setattr(ManagerMixin, new.__name__, classmethod(new))


@contextmanager
def _given_back() -> Iterator[None]:
    """Release the lock if the block, which takes it first of all, raises."""
    from mmengine.utils.manager import _release_lock

    try:
        yield
    except BaseException:
        _release_lock()
        raise
