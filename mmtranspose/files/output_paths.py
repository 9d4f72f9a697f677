"""Output files: checked before any work is done, written beside their name and then renamed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mmtranspose.errors import InputError


def require_output_file(path: str | Path, option: str, given: Iterable[str | Path]) -> None:
    """Check that a file may be written.

    Args:
        path (str | Path): The file.
        option (str): That named it.
        given (Iterable[str | Path]): Files that are read.

    Raises:
        InputError: It is a folder, or one of those that are read.
    """
    if Path(path).is_dir():
        raise InputError(f'{option} {path} is a folder; name a file')
    for other in given:
        if os.path.realpath(other) == os.path.realpath(path):
            raise InputError(f'{option} {path} would overwrite {other}; choose another file')


def require_writable(root: str | Path, option: str = '--output-root') -> None:
    """Check that a folder can be written to, or made; nothing is made yet.

    Args:
        root (str | Path): The folder.
        option (str): That named it.

    Raises:
        InputError: It cannot.
    """
    existing = next(path for path in (Path(root), *Path(root).absolute().parents) if path.exists())
    if not existing.is_dir():
        raise InputError(f'{option} {root}: {existing} is a file, not a folder; choose another')
    if not os.access(existing, os.W_OK | os.X_OK):
        raise InputError(f'{option} {root}: {existing} cannot be written to; choose another folder')


def partial_path(path: str | Path) -> Path:
    """Where a file is written before it is renamed to ``path``: beside it, with this process's number in the name."""
    return Path(path).with_name(f'{Path(path).name}.{os.getpid()}.partial')


@contextmanager
def partial_file(path: str | Path) -> Iterator[Path]:
    """Write a file whole or not at all: yield the path to write to, then rename it to ``path``.

    Missing folders are made; after an error the partial file is removed.

    Raises:
        OSError: The file cannot be written; the error names ``path``.
    """
    path, partial = Path(path), partial_path(path)
    with errors_name(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield partial
            os.replace(partial, path)
        finally:
            with suppress(OSError):
                partial.unlink(missing_ok=True)


@contextmanager
def errors_name(path: str | Path) -> Iterator[None]:
    """Put the name of the written file into an :class:`OSError` (a full disk); those of ``write`` lack one."""
    try:
        yield
    except OSError as error:
        if error.errno is not None:
            error.filename = str(path)
        raise
