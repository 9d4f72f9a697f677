"""Old checkpoints that go only once the new one is there.

Fault: with ``max_keep_ckpts`` mmengine's ``CheckpointHook`` deletes the oldest checkpoint BEFORE it writes the new one;
with ``max_keep_ckpts=1``, a process killed in between has none. The best checkpoint is replaced in the same order.
Versions: mmengine <= 0.10.7.
Can go: when ``CheckpointHook`` deletes after writing.
"""

from __future__ import annotations

import functools


class _DeferredRemoval:
    """A file backend that keeps what it is told to remove until :meth:`flush`."""

    def __init__(self, backend):
        self._backend = backend
        self._pending = []

    def __getattr__(self, name):
        return getattr(self._backend, name)

    def remove(self, path):
        self._pending.append((self._backend.remove, path))

    def rmtree(self, path):
        self._pending.append((self._backend.rmtree, path))

    def flush(self, keep: set[str]) -> None:
        for remove, path in self._pending:
            if str(path) not in keep:
                remove(path)


def _checkpoints_in_use(hook) -> set[str]:
    best = [getattr(hook, 'best_ckpt_path', None), *(getattr(hook, 'best_ckpt_path_dict', None) or {}).values()]
    return {str(path) for path in [getattr(hook, 'last_ckpt', None), *best] if path}


def _remove_last(save):
    @functools.wraps(save)
    def wrapper(self, *args, **kwargs):
        backend = getattr(self, 'file_backend', None)  # None: validation without training, which saves nothing
        if backend is None or isinstance(backend, _DeferredRemoval):
            return save(self, *args, **kwargs)
        self.file_backend = deferred = _DeferredRemoval(backend)
        try:
            save(self, *args, **kwargs)
        finally:
            self.file_backend = backend
        deferred.flush(keep=_checkpoints_in_use(self))

    wrapper.removes_last = True
    return wrapper


def apply() -> None:
    """Make ``CheckpointHook`` write the new checkpoint first, then delete the old one."""
    from mmengine.hooks import CheckpointHook

    for name in ('_save_checkpoint_with_step', '_save_best_checkpoint'):
        save = getattr(CheckpointHook, name)
        if not getattr(save, 'removes_last', False):
            setattr(CheckpointHook, name, _remove_last(save))
