"""Check output paths before any work is done; write files beside their name, then rename them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mmtranspose.errors import InputError
from mmtranspose.typing import PathLike


def require_output_file(path: PathLike, option: str, given: Iterable[PathLike]) -> None:
    """Check that an output file may be written.

    Args:
        path (str | Path): The file.
        option (str): The option of the command line that names it, for messages.
        given (Iterable[str | Path]): The input files, which must not be overwritten.

    Raises:
        InputError: The path is that of a folder or of an input file.
    """
    if Path(path).is_dir():
        raise InputError(f'{option} {path} is a folder; name a file')
    for other in given:
        if os.path.realpath(other) == os.path.realpath(path):
            raise InputError(f'{option} {path} would overwrite {other}; choose another file')


def require_writable(root: PathLike, option: str = '--output-root') -> None:
    """Check that a folder can be written to, or can be made; it is not made yet.

    Args:
        root (str | Path): The folder.
        option (str): The option of the command line that names it, for messages.

    Raises:
        InputError: The path, or the folder above it, is a file or is not writable.
    """
    existing = next(path for path in (Path(root), *Path(root).absolute().parents) if path.exists())
    if not existing.is_dir():
        raise InputError(f'{option} {root}: {existing} is a file, not a folder; choose another')
    if not os.access(existing, os.W_OK | os.X_OK):
        raise InputError(f'{option} {root}: {existing} cannot be written to; choose another folder')


def partial_path(path: PathLike) -> Path:
    """Name the file that is written before it is renamed to ``path``: beside it, with the number of this process."""
    return Path(path).with_name(f'{Path(path).name}.{os.getpid()}.partial')


@contextmanager
def partial_file(path: PathLike) -> Iterator[Path]:
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
def errors_name(path: PathLike) -> Iterator[None]:
    """Put the name of the written file into an :class:`OSError` (a full disk); those of ``write`` lack one."""
    try:
        yield
    except OSError as error:
        if error.errno is not None:
            error.filename = str(path)
        raise
