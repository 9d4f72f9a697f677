"""The results of units of work, kept in a folder until those of all units are there and can be merged."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmtranspose.errors import InputError
from mmtranspose.files.json_files import read_json, write_json
from mmtranspose.files.resumable_arrays import Parts

try:
    import fcntl
except ImportError:  # Windows, which has no locks that end with their process
    fcntl = None  # type: ignore[assignment]

PARTS = 'parts'  # the folder, in that of the results
MADE_BY, MERGED = 'made_by.json', 'merged.json'  # in it; they stay


@dataclass(frozen=True)
class Shard:
    """One of several processes that share the units of a run.

    Attributes:
        number (int): From 1 to ``count``.
        count (int): Number of processes.
    """

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read ``'K/N'``.

        Raises:
            InputError: It is something else, or K is not from 1 to N.
        """
        match = re.fullmatch(r'(\d{1,6})/(\d{1,6})', text, re.ASCII)
        if not match or not 1 <= int(match[1]) <= int(match[2]):
            raise InputError(f'{text} is not K/N with K from 1 to N, such as 1/4, 2/4, 3/4 and 4/4 for four processes')
        return cls(int(match[1]), int(match[2]))

    def has(self, unit: int) -> bool:
        """Whether this process computes a unit."""
        return unit % self.count == self.number - 1

    def __str__(self) -> str:
        return f'{self.number}/{self.count}'


class FinishedUnits(Parts):
    """Units whose results are in ``root/parts``, of one run that is shared by processes and goes on after a stop.

    Unit N has the folder ``N`` with its files, ``N.frames.json`` with what a merge needs to know of each frame, and
    ``N.json``, written last. They depend on nothing that differs between processes, and not on the number of shards.

    Args:
        root (Path): The folder of the results.
        made_by (dict): All that the results depend on; see :class:`Parts`.
        count (int): The number of units.

    Raises:
        InputError: The folder holds results that depend on something else.
    """

    def __init__(self, root: Path, made_by: dict[str, Any], count: int):
        super().__init__(root / PARTS, made_by, count)
        self._made_by = hashlib.sha256(json.dumps(made_by, sort_keys=True).encode()).hexdigest()[:16]

    def path(self, number: int) -> Path:
        """The file that says that a unit is finished."""
        return self.root / f'{number:06d}.json'

    def folder(self, number: int) -> Path:
        """The folder of a unit's images, videos, JSON files and pages."""
        return self.root / f'{number:06d}'

    def frames(self, number: int) -> Path:
        """The file with what a merge needs to know of each frame: a JSON list with an entry a line."""
        return self.root / f'{number:06d}.frames.json'

    @property
    def merged(self) -> int | None:
        """How many frames and boxes were left out of units that are merged; None where they are not merged yet."""
        note = self.root / MERGED
        content = read_json(note, 'note') if note.is_file() else None
        return content['skipped'] if isinstance(content, dict) else None

    def begin(self, number: int) -> Path:
        """Empty the folder of a unit, which a process may have left unfinished, and return it."""
        if self.folder(number).exists():
            shutil.rmtree(self.folder(number))
        return self.folder(number)

    def finish(self, number: int, skipped: Sequence[tuple[str, str]]) -> None:
        """Say that all files of a unit are there, and what was left out of it: names and reasons."""
        write_json(self.path(number), dict(made_by=self._made_by, skipped=skipped))

    def skipped(self, number: int) -> list[tuple[str, str]]:
        """Name and reason of each frame or box that was left out of a finished unit.

        Raises:
            InputError: The file is damaged, or the unit was made with other settings.
        """
        content = read_json(self.path(number), 'file of a finished unit')
        if not isinstance(content, dict) or content.get('made_by') != self._made_by:
            raise InputError(
                f'{self.path(number)} was made with other settings than {self.root / MADE_BY} says: delete '
                f'{self.path(number)} and run its shard again'
            )
        return [(str(name), str(reason)) for name, reason in content['skipped']]

    def rows(self, number: int) -> Iterator[dict[str, Any]]:
        """What a merge needs to know of each frame of a finished unit.

        Raises:
            InputError: The file is missing or damaged.
        """
        path = self.frames(number)
        try:
            with open(path, encoding='utf-8') as file:
                for line in file:
                    if line.startswith('{'):
                        yield json.loads(line.rstrip().rstrip(','))
        except (OSError, ValueError) as error:
            raise self.damaged(number, f'{path.name} cannot be read ({error})') from None

    def damaged(self, number: int, what: str) -> InputError:
        """The error of a unit that lacks something."""
        return InputError(
            f'{self.root}: {what}, of a unit that was finished: delete {self.path(number)} and run its shard again'
        )

    def left(self, shards: int) -> list[str]:
        """Say, for each shard that is not finished, how many of its units are missing."""
        missing, said = self.missing(), []
        for number in range(1, shards + 1):
            mine = [unit for unit in missing if Shard(number, shards).has(unit)]
            if mine:
                total = len(range(number - 1, self.count, shards))
                said.append(f'shard {number}/{shards} ({len(mine)} of {total} parts)')
        return said

    def retire(self, skipped: int) -> None:
        """Note that the units are merged, and how much was left out of them; then remove their files.

        The note stays, so that a shard that is started again does not begin anew.
        """
        write_json(self.root / MERGED, dict(skipped=skipped))
        self.tidy()

    def tidy(self) -> None:
        """Remove the files of units that are merged."""
        for path in self.root.iterdir():
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            elif path.name not in (MADE_BY, MERGED):
                path.unlink(missing_ok=True)

    @contextmanager
    def alone(self, name: str = MADE_BY) -> Iterator[bool]:
        """Hold a lock while in the ``with`` block; yields whether no other process holds it.

        The lock ends with the process. Where the file system has no locks, nothing is held.
        """
        descriptor = os.open(self.root / name, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            yield _locked(descriptor)
        finally:
            os.close(descriptor)


def shards_of(root: Path) -> int:
    """The number of shards that were started last in a folder of results; 1 where none were."""
    note = root / PARTS / 'shards.json'
    content = read_json(note, 'note') if note.is_file() else None
    return content['shards'] if isinstance(content, dict) and isinstance(content.get('shards'), int) else 1


def note_shards(root: Path, shards: int) -> None:
    """Note the number of shards, for later sentences."""
    write_json(root / PARTS / 'shards.json', dict(shards=shards))


def in_words(left: Iterable[str]) -> str:
    """``'a, b and c'``."""
    *first, last = left
    return f'{", ".join(first)} and {last}' if first else last


def _locked(descriptor: int) -> bool:
    if fcntl is None:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # the file system has no locks
        return True
    return True
