"""Generators that run in threads of their own, ahead of their consumer."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import TypeVar

T = TypeVar('T')

POLL_SECONDS = 0.1  # between two looks at whether the work is still wanted


class Background:
    """Runs a chain of generators in threads, each making items up to a bounded number ahead of the next.

    A context manager: leaving it ends the threads, wherever they are. An error in a generator is raised in the consumer
    of its items.

    Args:
        patience (float): Seconds that each thread gets to end; a second Ctrl-C does not shorten them.
    """

    def __init__(self, patience: float = 5.0):
        self._patience = patience
        self._threads: list[threading.Thread] = []
        self._stopped = threading.Event()

    def __enter__(self) -> Background:
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        interrupts = [error for error in map(self._join, self._threads) if error is not None]
        if interrupts:
            raise interrupts[-1]

    def _join(self, thread: threading.Thread) -> KeyboardInterrupt | None:
        try:
            thread.join(self._patience)
        except KeyboardInterrupt as error:
            thread.join(self._patience)
            return error
        return None

    @property
    def ended(self) -> bool:
        """Whether all threads have ended; a thread whose input waits for something outside may still run."""
        return not any(thread.is_alive() for thread in self._threads)

    def ahead(self, items: Iterable[T], size: int, drops: Callable[[T], bool] | None = None) -> Iterator[T]:
        """Start a thread that iterates ``items``; yield the items here, in order.

        Args:
            items (Iterable): Iterated in the thread only.
            size (int): Number of items that may wait for the consumer.
            drops (Callable | None): Tells which items may be dropped. Such an item never waits for room: it takes the
                place of the oldest waiting item that may be dropped. For sources that do not wait, such as cameras.
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
        except BaseException as error:
            self._put(channel, (None, error))
        finally:
            if hasattr(iterator, 'close'):
                iterator.close()

    def _put(self, channel: _Channel, entry: tuple) -> bool:
        while not self._stopped.is_set():
            with suppress(queue.Full):
                channel.put(entry, timeout=POLL_SECONDS)
                return True
        return False

    def _get(self, channel: _Channel) -> tuple:
        while not self._stopped.is_set():
            with suppress(queue.Empty):
                return channel.get(timeout=POLL_SECONDS)
        raise _Stopped


class _Stopped(BaseException):
    """Unwinds the generators of a thread whose work is no longer wanted, so that they do not finish what they hold."""


_END = object()


class _Channel(queue.Queue):
    """Items on their way to the consumer: (item, None), and at last (None, the error or ``_END``)."""

    def make_room(self, drops: Callable[[tuple], bool]) -> None:
        """Remove the first entry that may be dropped, if the queue is full."""
        with self.mutex:
            if self._qsize() < self.maxsize:
                return
            for place, entry in enumerate(self.queue):
                if entry[1] is None and drops(entry):
                    del self.queue[place]
                    self.not_full.notify()
                    return
