"""Arrays that are computed part by part and kept on disk, so that a run that was stopped can go on."""

from __future__ import annotations

import io
import json
import time
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from mmengine.dist import get_rank, get_world_size, is_main_process
from mmengine.fileio import put
from tqdm import tqdm

from mmtranspose.errors import InputError, reason
from mmtranspose.files.json_files import read_json, write_json


class PartedWork(ABC):
    """Work in numbered parts that several processes (of mmengine's process group) share.

    Rank 0 waits for the files of the other ranks rather than at a barrier, which would time out where a part takes
    long.

    Attributes:
        count (int): The number of parts.
    """

    count: int

    @abstractmethod
    def missing(self) -> list[int]:
        """The numbers of the parts that are not there yet."""

    @abstractmethod
    def write(self, number: int, arrays: Mapping[str, Any]) -> None:
        """Keep the arrays of a part."""

    def share(self) -> list[int]:
        """The numbers of the missing parts that this process computes."""
        # By the numbers of all parts, not by places among the missing: processes look at different moments.
        return [number for number in self.missing() if number % get_world_size() == get_rank()]

    def fill(
        self,
        measure: Callable[[int], Mapping[str, Any]],
        title: str | bool = False,
        share: list[int] | None = None,
    ) -> None:
        """Compute this process's share of the missing parts; rank 0 returns when all parts are there.

        Args:
            measure (Callable): Takes the number of a part and returns its arrays.
            title (str | bool): The title of rank 0's progress bar over all parts; False shows no bar.
            share (list[int] | None): What :meth:`share` returned earlier; None: what it returns now.
        """
        mine = self.share() if share is None else share
        bar = tqdm(total=self.count, desc=title or None, disable=not title or not is_main_process())
        for number in mine:
            self._show(bar)
            self.write(number, measure(number))
        while is_main_process() and self.missing():
            self._show(bar)
            time.sleep(0.5)
        self._show(bar)
        bar.close()

    def _show(self, bar: tqdm) -> None:
        if not bar.disable:
            bar.update(self.count - len(self.missing()) - bar.n)


class Parts(PartedWork):
    """Numbered ``.npz`` files in a folder, each with the arrays of one part of the work.

    A run that is started again computes the parts that are not there yet.

    Args:
        root (Path): The folder.
        made_by (dict): All that the arrays depend on, as JSON can hold it; kept in the folder and compared.
        count (int): The number of parts.
        option (str): The option of the command line that names the output, for messages.

    Raises:
        InputError: The folder holds arrays that depend on something else.
    """

    def __init__(self, root: Path, made_by: dict[str, Any], count: int, option: str = '--output-root'):
        self.root = root
        self.count = count
        require_made_by(root, made_by, option)

    def path(self, number: int) -> Path:
        """The file of a part."""
        return self.root / f'{number:06d}.npz'

    def missing(self) -> list[int]:
        """The numbers of the parts that are not there yet."""
        return [number for number in range(self.count) if not self.path(number).is_file()]

    def read(self) -> dict[str, np.ndarray]:
        """The arrays of all parts, joined along their first axis.

        Raises:
            InputError: A file is damaged.
        """
        parts = [self.read_part(number) for number in range(self.count)]
        return {name: np.concatenate([part[name] for part in parts]) for name in (parts[0] if parts else {})}

    def write(self, number: int, arrays: Mapping[str, Any]) -> None:
        """Keep the arrays of a part."""
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)
        put(buffer.getvalue(), str(self.path(number)))

    def read_part(self, number: int) -> dict[str, np.ndarray]:
        """The arrays of one part.

        Raises:
            InputError: The file is damaged; the message names all others that are.
        """
        try:
            return _arrays(self.path(number))
        except InputError as error:
            others = list(filter(None, map(_damage, sorted({*self.root.glob('*.npz')} - {self.path(number)}))))
            raise InputError(str(error), details=others) from None


def _arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path) as file:
            return dict(file)
    except (ValueError, OSError, EOFError, BadZipFile, zlib.error) as error:
        raise InputError(f'{path} is damaged ({reason(error)}); delete it and run again') from None


def _damage(path: Path) -> str:
    """What is wrong with a file of arrays; empty if nothing is."""
    try:
        _arrays(path)
    except InputError as error:
        return str(error)
    return ''


def require_made_by(root: Path, made_by: dict[str, Any], option: str = '--output-root') -> None:
    """Note in a folder what its content depends on, or compare with the note that is there.

    Args:
        root (Path): The folder.
        made_by (dict): All that the content depends on, as JSON can hold it.
        option (str): The option of the command line that names the output, for messages.

    Raises:
        InputError: The content depends on something else, and the message names the first difference; or the note is
            damaged.
    """
    note, wanted = root / 'made_by.json', json.loads(json.dumps(made_by))
    if not note.exists():
        if is_main_process():
            write_json(note, wanted, flushed=True)
        return
    cure = f'delete the folder {root} and run again'
    try:
        found: Any = read_json(note, 'note')
    except InputError as error:
        raise InputError(f'{error}; {cure}') from None
    if not isinstance(found, dict):
        raise InputError(f'note {note} holds a {type(found).__name__}, not what {root} was made by; {cure}')
    for key in sorted({*wanted, *found}):
        if found.get(key) != wanted.get(key):
            raise InputError(
                f'{root} holds results with {key}={found.get(key)!r}, now {wanted.get(key)!r}: give another '
                f'{option}, go on with what was given before, or delete that folder'
            )
