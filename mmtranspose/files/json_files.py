"""Read JSON files with errors that name the file, write them whole or not at all; arrays and tuples as JSON."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from mmtranspose.errors import InputError
from mmtranspose.files.output_paths import PartialFile, errors_name, partial_file
from mmtranspose.typing import PathLike


def read_json(path: PathLike, what: str) -> object:
    """Read a JSON file in UTF-8, with a byte order mark or without, or in UTF-16 or UTF-32.

    Raises:
        InputError: The file is missing, cannot be read or is not JSON; the message calls it ``what``.
    """
    try:
        return json.loads(Path(path).read_bytes())
    except FileNotFoundError:
        raise InputError(f'{what} {path} does not exist') from None
    except OSError as error:
        raise InputError(f'{what} {path} cannot be read: {error.strerror}') from None
    except (ValueError, RecursionError) as error:  # ValueError: no JSON, no text, a number of 5000 digits
        raise InputError(f'{what} {path} is not JSON: {error}') from None


def to_json(content: object, indent: int | None = None) -> str:
    """Encode dicts, lists, and NumPy's numbers as JSON."""
    return json.dumps(content, indent=indent, default=float)


def write_json(path: PathLike, content: object, flushed: bool = False) -> None:
    """Write a JSON file, whole or not at all.

    Args:
        path (PathLike): The file.
        content (object): Dicts, lists, and NumPy's numbers.
        flushed (bool): Flush the file to disk, so that it is whole after a power cut, too.

    Raises:
        OSError: The file cannot be written; the error names it.
    """
    data = to_json(content, indent=1).encode()
    with partial_file(path, data if flushed else None) as partial:
        partial.write_bytes(data)


class JsonListFile:
    """Writes the entries of a JSON list one by one, so that no entry stays in memory.

    The list is written to a file beside ``path``, which gets its name from :meth:`close`.

    Args:
        path (Path): The file; missing folders are made.
        before (str): JSON before the entries.
        after (str): JSON after the entries.

    Raises:
        OSError: The file cannot be written; the error names it, and nothing of the file is left.
    """

    def __init__(self, path: Path, before: str = '[', after: str = ']'):
        self.path = path
        self._partial = PartialFile(path)
        self._after, self._separator = after, '\n'
        with errors_name(path):
            self._file = open(self._partial.create(), 'w', encoding='utf-8')  # noqa: SIM115  closed by close()
        self._write(before)

    def write(self, entry: object) -> None:
        """Add an entry of dicts, lists, and NumPy's numbers."""
        self._write(self._separator + to_json(entry))
        self._separator = ',\n'

    def close(self) -> None:
        """Complete the file and give it its name; a second call does nothing."""
        if self._file.closed:
            return
        self._write(f'\n{self._after}\n', last=True)
        with errors_name(self.path):
            self._partial.complete()

    def _write(self, text: str, last: bool = False) -> None:
        try:
            with errors_name(self.path):
                self._file.write(text)
                if last:
                    self._file.close()
        except OSError:
            self._abandon()
            raise

    def _abandon(self) -> None:
        with suppress(OSError):  # the disk is still full; the file is closed all the same
            self._file.close()
        self._partial.abandon()


def encoded(value: Any) -> Any:
    """A value as JSON holds it: dicts of any keys, tuples and arrays by kind, so that they come back as they were.

    Raises:
        InputError: There are objects in it that are no plain data.
    """
    if isinstance(value, dict):
        return {'dict': [[encoded(key), encoded(one)] for key, one in value.items()]}
    if isinstance(value, tuple):
        return {'tuple': [encoded(one) for one in value]}
    if isinstance(value, list):
        return [encoded(one) for one in value]
    if isinstance(value, np.ndarray) and value.dtype.kind in 'biufU':
        return {'array': value.tolist(), 'dtype': value.dtype.str, 'shape': value.shape}
    if isinstance(value, np.generic):
        return encoded(value.item())
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise InputError(f'{str(value)[:60]!r}, a {type(value).__name__}, cannot be written as plain data')


def decoded(value: Any) -> Any:
    """The value that :func:`encoded` had.

    Raises:
        ValueError, TypeError, LookupError, AttributeError: It is nothing that :func:`encoded` returns.
    """
    if isinstance(value, list):
        return [decoded(one) for one in value]
    if not isinstance(value, dict):
        return value
    if 'dict' in value:
        return {decoded(key): decoded(one) for key, one in value['dict']}
    if 'tuple' in value:
        return tuple(decoded(one) for one in value['tuple'])
    return np.array(value['array'], np.dtype(value['dtype'])).reshape(value['shape'])
