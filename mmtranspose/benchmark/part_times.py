"""Measure parts of some work where they happen: the time of functions while the work calls them.

A part that takes a thousandth of the work cannot be seen in the difference of two runs, which vary by some per cent.
"""

from __future__ import annotations

import functools
import multiprocessing
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple


class Function(NamedTuple):
    """A function by the place where it is looked up.

    Attributes:
        owner (module | type): The module or class that defines or imports it.
        name (str): Its name there.
    """

    owner: Any
    name: str


class Part(NamedTuple):
    """A part of the work.

    Attributes:
        functions (tuple[Function, ...]): Their time counts.
        without (tuple[Function, ...]): Functions that these call and whose time does not count.
        cpu (bool): Whether CPU time counts, without the time in which the system lets other processes run.
    """

    functions: tuple[Function, ...]
    without: tuple[Function, ...] = ()
    cpu: bool = False


class PartTimes:
    """Sums up the time of each part in this process, and in processes that are forked inside :meth:`measured`.

    Args:
        parts (Mapping[str, Part]): The parts by name.
    """

    def __init__(self, parts: Mapping[str, Part]):
        self._parts = parts
        self._seconds = {name: multiprocessing.Value('d') for name in parts}

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Replace the functions by others that also measure their time; finally put them back."""
        with ExitStack() as stack:
            for name, part in self._parts.items():
                for sign, functions in ((1, part.functions), (-1, part.without)):
                    for function in functions:
                        stack.enter_context(replaced(function, functools.partial(self._timed, name, sign)))
            yield

    def take(self) -> dict[str, float]:
        """The seconds of each part since the last call."""
        taken = {name: seconds.value for name, seconds in self._seconds.items()}
        for seconds in self._seconds.values():
            seconds.value = 0.0
        return taken

    def _timed(self, name: str, sign: int, function: Callable) -> Callable:
        seconds = self._seconds[name]
        clock = time.thread_time if self._parts[name].cpu else time.perf_counter

        @functools.wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            start = clock()
            try:
                return function(*args, **kwargs)
            finally:
                spent = clock() - start
                with seconds.get_lock():
                    seconds.value += sign * spent

        return timed


@contextmanager
def replaced(function: Function, make: Callable[[Callable], Callable]) -> Iterator[None]:
    """Replace a function by what ``make`` returns for it; finally put it back."""
    original = vars(function.owner)[function.name]
    setattr(function.owner, function.name, make(original))
    try:
        yield
    finally:
        setattr(function.owner, function.name, original)
