"""The files that a program wrote in a folder, so that its next run can take them away and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any

from mmtranspose.errors import InputError
from mmtranspose.files.json_files import read_json, write_json


class WrittenFiles:
    """The files that a program writes in a folder, which may hold somebody else's files, too.

    A note lists every file before it is written. So whatever an interrupted run left is known to the next one.

    Args:
        root (Path): The folder.
        note (Path): The note, a JSON file.

    Raises:
        InputError: The note is damaged.
    """

    def __init__(self, root: Path, note: Path):
        self.root, self._note = root, note
        try:
            content: Any = read_json(note, 'note') if note.exists() else []
        except InputError as error:
            raise InputError(f'{error}; delete it, and what earlier runs wrote in {root}, and run again') from None
        names = [name for name in content if isinstance(name, str)] if isinstance(content, list) else []
        # Notes come along with folders that other people made
        self._names = [name for name in names if not {'..', '/'} & set(PurePosixPath(name).parts)]

    def remove(self, first: Sequence[str] = ()) -> None:
        """Remove all files of earlier runs, and folders that are empty then.

        Args:
            first (Sequence[str]): Names of files that go first, noted or not, because others are there as long as they
                are.
        """
        for name in (*first, *self._names):
            path = self.root / name
            path.unlink(missing_ok=True)
            if path.parent != self.root:
                with suppress(OSError):  # somebody else's files are in it
                    path.parent.rmdir()
        self._names = []
        if self._note.exists():
            write_json(self._note, self._names)

    def path(self, name: str) -> Path:
        """The path of a file that is written next; it is noted.

        Args:
            name (str): Relative to the folder, with ``/`` between its parts.
        """
        if name not in self._names:
            self._names.append(name)
            write_json(self._note, self._names)
        return self.root / name
