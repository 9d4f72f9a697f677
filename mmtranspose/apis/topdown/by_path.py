"""What belongs to a file, by as much of its path as is known."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Generic, TypeVar

from mmtranspose.errors import InputError

T = TypeVar('T')


class ByPath(Generic[T]):
    """Values by file names, which may have folders before them; folders that both sides name must agree.

    Args:
        values (Mapping[str, T]): By file name.
    """

    def __init__(self, values: Mapping[str, T]):
        self._values = {Path(name).parts: value for name, value in values.items()}
        self._names: dict[str, list[tuple[str, ...]]] = {}
        for parts in self._values:
            self._names.setdefault(parts[-1] if parts else '', []).append(parts)

    def values(self) -> list[T]:
        """All values."""
        return list(self._values.values())

    def get(self, path: str) -> T | None:
        """The value of the longest name that the path ends in, else of the one that ends in the path; None: of none.

        Raises:
            InputError: Several names end in the path.
        """
        parts = Path(path).parts
        names = self._names.get(parts[-1], ()) if parts else ()
        within = [name for name in names if parts[-len(name) :] == name]
        if within:
            return self._values[max(within, key=len)]
        around = [name for name in names if name[-len(parts) :] == parts]
        if len(around) > 1:
            several = ', '.join(str(Path(*name)) for name in around[:3])
            raise InputError(f'{path} may be any of {several}: name the picture with its folders')
        return self._values[around[0]] if around else None
