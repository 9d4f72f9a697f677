"""Work that is done ahead of its consumer, in threads of its own."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
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


T = TypeVar('T')


LOOK = 0.1  # seconds between two looks at whether the work is still wanted


class Background:
    """Threads of a chain of generators, each making items up to a bounded number ahead of the next.

    A context manager: leaving it ends the threads, wherever they are. An error in one comes up in its consumer.

    Args:
        patience (float): Seconds that each thread gets to end; a second Ctrl-C does not shorten them.
    """

    def __init__(self, patience: float = 5.0):
        self._patience = patience
        self._threads: list[threading.Thread] = []
        self._over = threading.Event()

    def __enter__(self) -> Background:
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        interrupted = None
        for thread in self._threads:
            try:
                thread.join(self._patience)
            except KeyboardInterrupt as error:
                interrupted = error
                thread.join(self._patience)
        if interrupted is not None:
            raise interrupted

    @property
    def ended(self) -> bool:
        """Whether all threads have ended. One whose input waits for something outside may not have."""
        return not any(thread.is_alive() for thread in self._threads)

    def ahead(self, items: Iterable[T], size: int, drops: Callable[[T], bool] | None = None) -> Iterator[T]:
        """What ``items`` yields, in order, made in a thread that starts at once.

        Args:
            items (Iterable): Iterated in the thread alone.
            size (int): How many may wait for the consumer.
            drops (Callable | None): An item for which it is true does not wait for room: the oldest such item that
                waits is let go. For sources that do not wait either.
        """
        channel = _Channel(size)
        thread = threading.Thread(target=self._work, args=(items, channel, drops), daemon=True)
        self._threads.append(thread)
        thread.start()
        return self._items(channel)

    def _items(self, channel: _Channel) -> Iterator[T]:
        while True:
            item, error = self._get(channel)
            if error is _END:
                return
            if error is not None:
                raise error
            yield item

    def _work(self, items: Iterable[T], channel: _Channel, drops: Callable[[T], bool] | None) -> None:
        iterator = iter(items)
        try:
            for item in iterator:
                if drops is not None and drops(item):
                    channel.make_room(lambda entry: drops(entry[0]))
                if not self._put(channel, (item, None)):
                    break
            self._put(channel, (None, _END))
        except BaseException as error:  # noqa: BLE001  the consumer raises it
            self._put(channel, (None, error))
        finally:
            if hasattr(iterator, 'close'):
                iterator.close()

    def _put(self, channel: _Channel, entry: tuple) -> bool:
        while not self._over.is_set():
            try:
                channel.put(entry, timeout=LOOK)
                return True
            except queue.Full:
                continue
        return False

    def _get(self, channel: _Channel) -> tuple:
        while not self._over.is_set():
            try:
                return channel.get(timeout=LOOK)
            except queue.Empty:
                continue
        raise _Over


class _Over(BaseException):
    """Unwinds the generators of a thread whose work is no longer wanted: they shall not finish what they hold."""


_END = object()


class _Channel(queue.Queue):
    def make_room(self, drops: Callable[[tuple], bool]) -> None:
        """Take out the first entry for which ``drops`` is true, if the queue is full."""
        with self.mutex:
            if self._qsize() < self.maxsize:
                return
            for place, entry in enumerate(self.queue):
                if entry[1] is None and drops(entry):
                    del self.queue[place]
                    self.not_full.notify()
                    return
