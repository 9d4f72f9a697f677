"""Errors that wait until what came before them is done."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar('T')


class ErrorLater:
    """Keeps an error of what is iterated, and raises it at the end of its ``with`` block."""

    def __init__(self):
        self._error: Exception | None = None

    def __enter__(self) -> ErrorLater:
        return self

    def __exit__(self, kind: type | None, *_: object) -> None:
        if kind is None and self._error is not None:
            raise self._error

    def until_error(self, items: Iterable[T]) -> Iterator[T]:
        """The items up to the first error, or all."""
        try:
            yield from items
        except Exception as error:  # noqa: BLE001  raised at the end
            self._error = error
