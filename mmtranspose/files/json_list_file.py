"""A JSON list that is written as it grows."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmtranspose.files.json_files import to_json


class JsonListFile:
    """Writes entries of a list one by one, so that none is kept in memory; the file is there once it is closed.

    Args:
        path (Path): The file; folders above it are made. Written beside it first, then renamed.
        before (str): JSON before the entries.
        after (str): JSON after them.

    Raises:
        OSError: The file cannot be written; names it, and nothing of it is left.
    """

    def __init__(self, path: Path, before: str = '[', after: str = ']'):
        self.path = path
        self._partial = path.with_name(f'{path.name}.{os.getpid()}.partial')
        self._after, self._separator = after, '\n'
        with naming(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = open(self._partial, 'w', encoding='utf-8')  # noqa: SIM115  closed by close()
        self._write(before)

    def write(self, entry: object) -> None:
        """Add an entry: dicts, lists, and NumPy's numbers."""
        self._write(self._separator + to_json(entry))
        self._separator = ',\n'

    def close(self) -> None:
        """Complete the file and give it its name; a second call does nothing."""
        if self._file.closed:
            return
        self._write(f'\n{self._after}\n', last=True)
        with naming(self.path):
            os.replace(self._partial, self.path)

    def _write(self, text: str, last: bool = False) -> None:
        try:
            with naming(self.path):
                self._file.write(text)
                if last:
                    self._file.close()
        except OSError:
            self._abandon()
            raise

    def _abandon(self) -> None:
        try:
            self._file.close()
        except OSError:  # the disk is still full; the file is closed all the same
            pass
        self._partial.unlink(missing_ok=True)


@contextmanager
def naming(path: str | Path) -> Iterator[None]:
    """Give errors of the system (a full disk) the file that was written: those of ``write`` do not name it."""
    try:
        yield
    except OSError as error:
        if error.errno is not None:
            error.filename = str(path)
        raise
