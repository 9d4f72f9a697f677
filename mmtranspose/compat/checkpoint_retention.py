"""Delete old checkpoints only after the new one is written, and only in the run's own folder.

Fault: with ``max_keep_ckpts``, mmengine's ``CheckpointHook`` deletes the oldest checkpoint BEFORE it writes the new
one. If the process is killed in between, ``max_keep_ckpts=1`` leaves no checkpoint. The best checkpoint is replaced in
the same order. A run that is resumed takes the path of its best checkpoint from the checkpoint file; if the work
directory was copied, that is a file of the original, which the hook deletes there when a better one is found.
Versions: mmengine <= 0.10.7.
Can go: when ``CheckpointHook`` deletes after writing, and keeps the names of its files without folders.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from mmtranspose.compat.patching import replace_once


def apply() -> None:
    """Make ``CheckpointHook`` write the new checkpoint first, then delete the old one, in its own folder."""
    from mmengine.hooks import CheckpointHook

    for name in ('_save_checkpoint_with_step', '_save_best_checkpoint'):
        replace_once(CheckpointHook, name, _removing_last)
    replace_once(CheckpointHook, 'before_train', _staying_at_home)


def _staying_at_home(before_train: Callable) -> Callable:
    def wrapper(self: Any, runner: Any) -> None:
        before_train(self, runner)
        best, several = getattr(self, 'best_ckpt_path', None), getattr(self, 'best_ckpt_path_dict', None) or {}
        if best:
            self.best_ckpt_path = _in_own_folder(self, best)
        several.update({metric: _in_own_folder(self, path) for metric, path in several.items() if path})

    return wrapper


def _in_own_folder(hook: Any, path: str) -> str:
    return hook.file_backend.join_path(hook.out_dir, re.split(r'[/\\]', str(path))[-1])


def _removing_last(save: Callable) -> Callable:
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> None:
        backend = getattr(self, 'file_backend', None)  # None in a validation without training, which saves nothing
        if backend is None or isinstance(backend, _DeferredRemoval):
            save(self, *args, **kwargs)
            return
        self.file_backend = deferred = _DeferredRemoval(backend)
        try:
            save(self, *args, **kwargs)
        finally:
            self.file_backend = backend
        deferred.flush(keep=_checkpoints_in_use(self))

    return wrapper


def _checkpoints_in_use(hook: Any) -> set[str]:
    """The files that a ``CheckpointHook`` knows as its last and its best ones."""
    best = [getattr(hook, 'best_ckpt_path', None), *(getattr(hook, 'best_ckpt_path_dict', None) or {}).values()]
    return {str(path) for path in [getattr(hook, 'last_ckpt', None), *best] if path}


class _DeferredRemoval:
    """A file backend of mmengine's that removes nothing until :meth:`flush`."""

    def __init__(self, backend: Any):
        self._backend = backend
        self._pending: list[tuple[Callable[[str], None], str]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def remove(self, path: str) -> None:
        self._pending.append((self._backend.remove, path))

    def rmtree(self, path: str) -> None:
        self._pending.append((self._backend.rmtree, path))

    def flush(self, keep: set[str]) -> None:
        """Remove what was asked for, except the paths to keep."""
        for remove, path in self._pending:
            if str(path) not in keep:
                remove(path)
