"""Shards: the processes that share a run's units of work, and the locks that keep two of them apart."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mmtranspose.errors import InputError
from mmtranspose.files.json_files import read_json, write_json

try:
    import fcntl
except ImportError:  # Windows, which has no locks that end with their process
    fcntl = None  # type: ignore[assignment]

NOTE = 'shards.json'
LOCK = re.compile(r'shard-(\d+)-of-(\d+)\.lock')


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


@contextmanager
def reserved(folder: Path, shard: Shard) -> Iterator[None]:
    """Be the only process that computes the units of a shard while in the ``with`` block; note the number of shards.

    Processes with the same number of shards have different units. Those with another number have units in common, so
    they may not run at the same time.

    Args:
        folder (Path): The folder of the units.
        shard (Shard): This process.

    Raises:
        InputError: The shard, or one of another number of shards, is running in another process.
    """
    with alone(folder / f'shard-{shard.number}-of-{shard.count}.lock') as free:
        if not free:
            raise InputError(f'shard {shard} is running already in another process, with {folder.parent}')
        for number, count in _running(folder, shard.count):
            raise InputError(
                f'shard {number}/{count} is running in another process, with {folder.parent}: start shard {shard} when '
                f'it has ended, or share the inputs among {count} processes here, too'
            )
        write_json(folder / NOTE, dict(shards=shard.count), flushed=True)
        yield


def _running(folder: Path, count: int) -> Iterator[tuple[str, str]]:
    """Number and count of each shard that is running, of other numbers of shards than ``count``."""
    for path in sorted(folder.glob('shard-*.lock')):
        match = LOCK.fullmatch(path.name)
        if match and int(match[2]) != count:
            with alone(path, looking=True) as free:
                if not free:
                    yield match[1], match[2]


def shards_of(folder: Path) -> int:
    """The number of shards that were started last in a folder of units; 1 where none were."""
    content = read_json(folder / NOTE, 'note') if (folder / NOTE).is_file() else None
    return content['shards'] if isinstance(content, dict) and isinstance(content.get('shards'), int) else 1


@contextmanager
def alone(path: Path, looking: bool = False, wait: bool = False) -> Iterator[bool]:
    """Hold the lock of a file, which is made, while in the ``with`` block; yields whether no other process holds it.

    The lock ends with the process. Where the file system has no locks, nothing is held.

    Args:
        path (Path): The file.
        looking (bool): Do not keep out other processes that look.
        wait (bool): Wait until the other process has released the lock.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        yield _locked(descriptor, looking, wait)
    finally:
        os.close(descriptor)


def _locked(descriptor: int, looking: bool, wait: bool) -> bool:
    if fcntl is None:
        return True
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if looking else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError:  # the file system has no locks
        return True
    return True


def in_words(left: Iterable[str]) -> str:
    """``'a, b and c'``."""
    *first, last = left
    return f'{", ".join(first)} and {last}' if first else last
