"""Measurements, kept on disk part by part until all are there."""

from __future__ import annotations

import io
import json
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from mmengine.dist import get_rank, get_world_size, is_main_process
from mmengine.fileio import put
from tqdm import tqdm

from mmtranspose.errors import InputError, reason
from mmtranspose.files.json_files import read_json, write_json


class Parts:
    """Numbered ``.npz`` files below a folder; a run that was stopped goes on from those that are there.

    In several processes each makes its share, and rank 0 waits for the files of the others: however long one takes,
    no process group runs out of patience.

    Args:
        root (Path): The folder.
        made_by (dict): Everything that the measurements depend on.
        count (int): Of the parts.
        option (str): The command line's option that says where results go, for messages.

    Raises:
        InputError: The folder holds measurements of something else.
    """

    def __init__(self, root: Path, made_by: dict, count: int, option: str = '--output-root'):
        self.root = root
        self.count = count
        note, made_by = root / 'made_by.json', json.loads(json.dumps(made_by))
        if note.exists():
            found = read_json(note, 'note')
            differing = [key for key in {*made_by, *found} if found.get(key) != made_by.get(key)]
            if differing:
                key = sorted(differing)[0]
                raise InputError(
                    f'{root} holds measurements with {key}={found.get(key)!r}, now {made_by.get(key)!r}: give another '
                    f'{option}, or delete that folder'
                )
        elif is_main_process():
            write_json(note, made_by)

    def path(self, number: int) -> Path:
        """Of a part's file."""
        return self.root / f'{number:06d}.npz'

    def missing(self) -> list[int]:
        """Parts that are not there yet."""
        return [number for number in range(self.count) if not self.path(number).is_file()]

    def share(self) -> list[int]:
        """This process's share of the missing parts."""
        # All processes share out all parts, not the missing ones: which are missing changes while they look.
        return [number for number in self.missing() if number % get_world_size() == get_rank()]

    def fill(
        self,
        measure: Callable[[int], dict[str, np.ndarray]],
        title: str | bool = False,
        share: list[int] | None = None,
    ) -> None:
        """Make this process's share of the missing parts; rank 0 returns when all are there.

        Args:
            measure (Callable): From a part's number to its arrays.
            title (str | bool): Of rank 0's bar over all parts; False shows none.
            share (list[int] | None): From :meth:`share`; None: as it is now.
        """
        mine = self.share() if share is None else share
        bar = tqdm(total=self.count, desc=title or None, disable=not title or not is_main_process())
        for number in mine:
            self._show(bar)
            self._write(number, measure(number))
        while is_main_process() and self.missing():
            self._show(bar)
            time.sleep(0.5)
        self._show(bar)
        bar.close()

    def _show(self, bar: tqdm) -> None:
        if not bar.disable:
            bar.update(self.count - len(self.missing()) - bar.n)

    def _write(self, number: int, arrays: dict[str, np.ndarray]) -> None:
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)
        put(buffer.getvalue(), str(self.path(number)))

    def read(self) -> dict[str, np.ndarray]:
        """The arrays of all parts, joined along their first axis.

        Raises:
            InputError: A file is damaged.
        """
        parts = [self._read(self.path(number)) for number in range(self.count)]
        return {name: np.concatenate([part[name] for part in parts]) for name in (parts[0] if parts else {})}

    def _read(self, path: Path) -> dict[str, np.ndarray]:
        try:
            with np.load(path) as file:
                return dict(file)
        except (ValueError, OSError, EOFError, BadZipFile, zlib.error) as error:
            raise InputError(f'{path} is damaged ({reason(error)}); delete it and run again') from None
