"""The results of units of work, kept in a folder until those of all units are there and can be merged."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmtranspose.errors import InputError
from mmtranspose.files.json_files import read_json, write_json
from mmtranspose.files.output_paths import flush
from mmtranspose.files.resumable_arrays import Parts
from mmtranspose.results.shards import Shard

PARTS = 'parts'  # the folder, in that of the results
MADE_BY, MERGED = 'made_by.json', 'merged.json'  # in it; they stay


@dataclass(frozen=True)
class UnitNote:
    """What the file of a finished unit says.

    Attributes:
        skipped (list[tuple[str, str]]): Name and reason of each frame or box that was left out.
        frames (int): Number of frames.
        sizes (dict[str, int]): The bytes of each file, by its path below the folder of all units.
    """

    skipped: list[tuple[str, str]]
    frames: int
    sizes: dict[str, int]


class FinishedUnits(Parts):
    """Units whose results are in ``root/parts``, of one run that is shared by processes and goes on after a stop.

    Unit N has the folder ``N`` with its files, ``N.frames.json`` with what a merge needs to know of each frame, and
    ``N.json``, written when the others are on the disk. They depend on nothing that differs between processes, and not
    on the number of shards.

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
    def lock(self) -> Path:
        """The file whose lock the process that merges holds."""
        return self.root / MADE_BY

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

    def finish(self, number: int, skipped: Sequence[tuple[str, str]], frames: int) -> None:
        """Flush all files of a unit to the disk; then say that they are there, and what was left out of the unit.

        Args:
            number (int): Of the unit, whose files are complete.
            skipped (Sequence[tuple[str, str]]): Names and reasons of what was left out.
            frames (int): Number of entries in :meth:`frames`.
        """
        folder = self.folder(number)
        written = [self.frames(number), *sorted(folder.rglob('*')), *([folder] if folder.is_dir() else [])]
        for path in written:
            flush(path)
        sizes = {path.relative_to(self.root).as_posix(): path.stat().st_size for path in written if path.is_file()}
        note = dict(made_by=self._made_by, skipped=skipped, frames=frames, sizes=sizes)
        write_json(self.path(number), note, flushed=True)

    def note(self, number: int) -> UnitNote:
        """What the file of a finished unit says.

        Raises:
            InputError: The file is damaged, or the unit was made with other settings.
        """
        try:
            content = read_json(self.path(number), 'its file')
        except InputError as error:
            raise self.damaged(number, str(error)) from None
        if not isinstance(content, dict) or content.get('made_by') != self._made_by:
            raise InputError(
                f'{self.path(number)} was made with other settings than {self.root / MADE_BY} says: delete '
                f'{self.path(number)} and run its shard again'
            )
        skipped = [(str(name), str(reason)) for name, reason in content['skipped']]
        return UnitNote(skipped, content['frames'], content['sizes'])

    def require_whole(self, number: int) -> None:
        """Check that all files of a finished unit are as they were written.

        Raises:
            InputError: A file is missing or of another size, or see :meth:`note`.
        """
        for name, size in self.note(number).sizes.items():
            path = self.root / name
            if not path.is_file():
                raise self.damaged(number, f'{name} is missing')
            if path.stat().st_size != size:
                raise self.damaged(number, f'{name} has {path.stat().st_size} bytes in place of {size}')

    def rows(self, number: int) -> Iterator[dict[str, Any]]:
        """What a merge needs to know of each frame of a finished unit.

        Raises:
            InputError: The file is missing or damaged.
        """
        path, count = self.frames(number), 0
        try:
            with open(path, encoding='utf-8') as file:
                for line in file:
                    if line.startswith('{'):
                        yield json.loads(line.rstrip().rstrip(','))
                        count += 1
        except (OSError, ValueError) as error:
            raise self.damaged(number, f'{path.name} cannot be read: {error}') from None
        if count != self.note(number).frames:
            raise self.damaged(number, f'{path.name} has {count} frames in place of {self.note(number).frames}')

    def damaged(self, number: int, what: str) -> InputError:
        """The error of a finished unit whose files are not as they were written."""
        return InputError(
            f'part {number} of {self.root} was finished, and is damaged ({what}): delete {self.path(number)} and run '
            'its shard again'
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
        write_json(self.root / MERGED, dict(skipped=skipped), flushed=True)
        self.tidy()

    def tidy(self) -> None:
        """Remove the files of units that are merged."""
        for path in self.root.iterdir():
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            elif path.name not in (MADE_BY, MERGED):
                path.unlink(missing_ok=True)
