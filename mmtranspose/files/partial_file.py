"""Files that are written beside their final name and then renamed, so that they are whole or not there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def partial_path(path: str | Path) -> Path:
    """Where a file is written before it is renamed to ``path``: beside it, with this process's number in the name."""
    return Path(path).with_name(f'{Path(path).name}.{os.getpid()}.partial')


@contextmanager
def partial_file(path: str | Path) -> Iterator[Path]:
    """The path to write to, in a folder that is made; renamed to ``path`` at the end, removed after an error.

    An :class:`OSError` of writing (a full disk) is given the name of the file, which those of ``write`` lack.
    """
    path, partial = Path(path), partial_path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield partial
        os.replace(partial, path)
    except OSError as error:
        if error.errno is not None:
            error.filename = str(path)
        raise
    finally:
        partial.unlink(missing_ok=True)
