"""Write files so that each is complete or missing, never truncated, and checkpoints so that a power cut loses none.

Fault: mmengine writes checkpoints, and all other files that go through its local backend, in place. If the process is
killed or the disk is full, a truncated file is left under the final name. Nothing is flushed to disk, and the previous
checkpoint is deleted right after.
Versions: mmengine <= 0.10.7.
Can go: when ``LocalBackend.put`` writes to a file beside the target, flushes it and renames it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from mmtranspose.compat.partial_files import partial_file
from mmtranspose.compat.patching import replace_once

CHECKPOINTS = ('.pth', '.pt', '.safetensors')


def apply() -> None:
    """Make ``LocalBackend.put`` and ``put_text`` write to a file beside the target, then rename it."""
    from mmengine.fileio import LocalBackend

    for name in ('put', 'put_text'):
        replace_once(LocalBackend, name, _writing_beside)


def _writing_beside(write: Callable) -> Callable:
    def put(self: Any, obj: bytes | str, filepath: str | Path, *args: Any, **kwargs: Any) -> None:
        checked = obj if isinstance(obj, bytes) and Path(filepath).suffix.lower() in CHECKPOINTS else None
        with partial_file(filepath, checked) as partial:
            write(self, obj, partial, *args, **kwargs)

    return put
