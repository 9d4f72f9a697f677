"""Check output paths before any work is done; write files beside their name, then rename them."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from mmtranspose.compat.partial_files import (
    PartialFile,
    errors_name,
    flush,
    partial_file,
    partial_path,
    remove_abandoned_partials,
)
from mmtranspose.errors import InputError
from mmtranspose.typing import PathLike
from mmtranspose_cli.terminal import printable

__all__ = [
    'PartialFile',
    'errors_name',
    'flush',
    'partial_file',
    'partial_path',
    'remove_abandoned_partials',
    'require_output_file',
    'require_writable',
]
_told: set[str] = set()  # the folders to be made of which this process has told


def require_output_file(path: PathLike, option: str, given: Iterable[PathLike]) -> None:
    """Check that an output file may be written, and tell on the standard error of a folder that will be made for it.

    A folder that is not there may be a slip of the fingers, and the file is often written hours later.

    Args:
        path (str | Path): The file.
        option (str): The option of the command line that names it, for messages.
        given (Iterable[str | Path]): The input files, which must not be overwritten.

    Raises:
        InputError: The path is that of a folder or of an input file, or its folder is not writable.
    """
    _require_folder(Path(path).parent, f'{option} {path}')
    if Path(path).is_dir():
        raise InputError(f'{option} {path} is a folder; name a file')
    for other in given:
        if os.path.realpath(other) == os.path.realpath(path):
            raise InputError(f'{option} {path} would overwrite {other}; choose another file')
    folder = Path(path).parent
    if not folder.exists() and os.path.realpath(folder) not in _told:
        _told.add(os.path.realpath(folder))
        print(printable(f'note: {option} {path}: the folder {folder} is not there, and will be made'), file=sys.stderr)


def require_writable(root: PathLike, option: str = '--output-root') -> None:
    """Check that a folder can be written to, or can be made; it is not made yet.

    Args:
        root (str | Path): The folder.
        option (str): The option of the command line that names it, for messages.

    Raises:
        InputError: The path, or the folder above it, is a file or is not writable.
    """
    _require_folder(Path(root), f'{option} {root}')


def _require_folder(folder: Path, given: str) -> None:
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not existing.is_dir():
        raise InputError(f'{given}: {existing} is a file, not a folder; choose another')
    try:
        os.rmdir(tempfile.mkdtemp(dir=existing, prefix='.mmtranspose-'))  # some refuse though their modes allow it
    except OSError as error:
        raise InputError(f'{given}: {existing} cannot be written to ({error.strerror}); choose another') from None
