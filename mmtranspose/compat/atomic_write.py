"""Write files so that each is complete or missing, never truncated.

Fault: mmengine writes checkpoints, and all other files that go through its local backend, in place. If the process is
killed or the disk is full, a truncated file is left under the final name.
Versions: mmengine <= 0.10.7.
Can go: when ``LocalBackend.put`` writes to a file beside the target and renames it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mmtranspose.compat.patching import replace_once


def apply() -> None:
    """Make ``LocalBackend.put`` and ``put_text`` write to a file beside the target, then rename it."""
    from mmengine.fileio import LocalBackend

    for name in ('put', 'put_text'):
        replace_once(LocalBackend, name, _writing_beside)


def _writing_beside(write: Callable) -> Callable:
    def put(self: Any, obj: bytes | str, filepath: str | Path, *args: Any, **kwargs: Any) -> None:
        target = Path(filepath)
        partial = target.with_name(f'{target.name}.{os.getpid()}.partial')
        try:
            write(self, obj, partial, *args, **kwargs)
            os.replace(partial, target)
        finally:
            partial.unlink(missing_ok=True)

    return put
