"""Arrays of the first items of a list, kept in parts, so that a run over more items, or over fewer, reuses them."""

from __future__ import annotations

import hashlib
import json
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mmtranspose.files.resumable_arrays import PartedWork, Parts

FILE = re.compile(r'(\d{6,})-(\d{6,})\.npz')


class Stretch(NamedTuple):
    """Items from ``start`` up to, but not including, ``stop``; their part's file goes on to ``end``."""

    start: int
    stop: int
    end: int


class GrowingParts(Parts):
    """Parts that are named by the items that they hold: ``000000-000034.npz`` has those from 0 up to 34.

    More items than last time go on after the parts that are there; fewer items take the first of them. A part is whole
    if it holds ``size`` items from a multiple of ``size`` on. If ``sums``, whole parts may hold sums over their items,
    and are read as a whole or not at all. Every other part must hold a row for each item in every array, so that its
    first rows can be read alone.

    Args:
        root (Path): The folder of this kind of arrays; beside it lie those that depend on something else.
        made_by (dict): All that the arrays of an item depend on, as JSON can hold it.
        items (int): The number of items.
        size (int): Items of a whole part.
        sums (bool): Whether whole parts hold sums.
        option (str): The option of the command line that names the output, for messages.

    Attributes:
        items (int): The number of items.
        stretches (list[Stretch]): The items of each part, in their order; together 0 up to ``items``.

    Raises:
        InputError: The folder's name stands for other dependencies than these.
    """

    def __init__(
        self,
        root: Path,
        made_by: dict[str, Any],
        items: int,
        size: int = 1,
        sums: bool = False,
        option: str = '--output-root',
    ):
        self.items, self.size = items, size
        found = [match for match in map(FILE.fullmatch, (path.name for path in root.glob('*-*.npz'))) if match]
        # Parts that this run makes do not change the stretches: processes look at different moments.
        self.stretches = stretches([(int(match[1]), int(match[2])) for match in found], items, size, sums)
        super().__init__(root, made_by, len(self.stretches), option)

    def path(self, number: int) -> Path:
        """The file of a part."""
        start, _, end = self.stretches[number]
        return self.root / f'{start:06d}-{end:06d}.npz'

    def is_whole(self, number: int) -> bool:
        """Whether a part holds ``size`` items from a multiple of ``size`` on."""
        return _is_whole(self.stretches[number].start, self.stretches[number].end, self.size)

    def read_part(self, number: int) -> dict[str, np.ndarray]:
        """The arrays of one part, of the items that are asked for.

        Raises:
            InputError: The file is damaged.
        """
        arrays, (start, stop, end) = super().read_part(number), self.stretches[number]
        return arrays if stop == end else {name: array[: stop - start] for name, array in arrays.items()}

    def read(self) -> dict[str, np.ndarray]:
        """The arrays of all items, which must have a row for each; no part is in memory beside them but the last read.

        Raises:
            InputError: A file is damaged.
        """
        joined: dict[str, np.ndarray] = {}
        for (start, stop, _), part in zip(self.stretches, self.read_each()):
            for name, rows in part.items():
                if start == 0:
                    joined[name] = np.empty((self.items, *rows.shape[1:]), rows.dtype)
                joined[name][start:stop] = rows
        return joined

    def read_each(self) -> Iterator[dict[str, np.ndarray]]:
        """Read one part after the other, so that only one is in memory.

        Raises:
            InputError: A file is damaged.
        """
        return map(self.read_part, range(self.count))

    @property
    def items_found(self) -> int:
        """The number of items whose arrays are there."""
        missing = set(self.missing())
        return sum(one.stop - one.start for number, one in enumerate(self.stretches) if number not in missing)


class JointParts(PartedWork):
    """Several kinds of arrays of the same items, a part an item, that are measured together.

    Args:
        kinds (Mapping[str, GrowingParts]): By name; all over the same items.
    """

    def __init__(self, kinds: Mapping[str, GrowingParts]):
        self.kinds = kinds
        self.count = max((parts.count for parts in kinds.values()), default=0)

    def missing(self) -> list[int]:
        """The numbers of the items of which some kind is not there yet."""
        return sorted({number for parts in self.kinds.values() for number in parts.missing()})

    def lacking(self, number: int) -> list[str]:
        """The names of the kinds that an item does not have yet."""
        return [name for name, parts in self.kinds.items() if not parts.path(number).is_file()]

    def write(self, number: int, arrays: Mapping[str, Any]) -> None:
        """Keep an item's arrays, by kind: each a dict of arrays with one row."""
        for name, content in arrays.items():
            self.kinds[name].write(number, content)


def stretches(found: Sequence[tuple[int, int]], items: int, size: int, sums: bool = False) -> list[Stretch]:
    """Divide items 0 up to ``items`` into stretches: parts that are there, and between them new ones.

    Args:
        found (Sequence[tuple[int, int]]): First item of each part that is there, and the one after its last.
        items (int): The number of items.
        size (int): Items of a whole part; a new part ends at the next multiple.
        sums (bool): Whether whole parts hold sums, so that they cannot be divided.

    Returns:
        list[Stretch]: In order. The same as before once new parts are there.
    """
    ends_of: dict[int, list[int]] = {}
    for start, end in found:
        ends_of.setdefault(start, []).append(end)
    starts, taken, position = sorted([*ends_of, items]), list[Stretch](), 0
    while position < items:
        ends = [
            end for end in ends_of.get(position, ()) if end <= items or not (sums and _is_whole(position, end, size))
        ]
        new = min((position // size + 1) * size, items, starts[bisect_right(starts, position)])
        # The part that reaches furthest; of two that reach to the last item, the smaller one.
        end = max(ends, key=lambda end: (min(end, items), -end)) if ends else new
        taken.append(Stretch(position, min(end, items), end))
        position = taken[-1].stop
    return taken


def _is_whole(start: int, end: int, size: int) -> bool:
    return start % size == 0 and end - start == size


def short_hash(made_by: dict[str, Any]) -> str:
    """Eight letters that stand for what arrays depend on, for the name of their folder."""
    return hashlib.sha256(json.dumps(made_by, sort_keys=True).encode()).hexdigest()[:8]
