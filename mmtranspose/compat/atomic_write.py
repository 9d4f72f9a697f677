"""Files that are either whole or not there.

Fault: mmengine writes checkpoints (and every file that goes through its local backend) in place; a process killed or a
disk filled meanwhile leaves a truncated file under the final name.
Versions: mmengine <= 0.10.7.
Can go: when ``LocalBackend.put`` writes beside the target and renames.
"""

from __future__ import annotations

import functools
import os
from pathlib import Path


def _beside(write):
    @functools.wraps(write)
    def put(self, obj, filepath, *args, **kwargs):
        target = Path(filepath)
        partial = target.with_name(f'{target.name}.{os.getpid()}.partial')
        try:
            write(self, obj, partial, *args, **kwargs)
            os.replace(partial, target)
        finally:
            partial.unlink(missing_ok=True)

    put.writes_beside = True
    return put


def apply() -> None:
    """Make ``LocalBackend.put`` and ``put_text`` write to a neighbour file, then rename it."""
    from mmengine.fileio import LocalBackend

    for name in ('put', 'put_text'):
        write = getattr(LocalBackend, name)
        if not getattr(write, 'writes_beside', False):
            setattr(LocalBackend, name, _beside(write))
