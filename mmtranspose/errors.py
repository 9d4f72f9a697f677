"""Errors that end a command with one sentence, as opposed to faults of the program; exit statuses."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterable, Sequence
from math import inf, isfinite
from numbers import Real

from mmtranspose_cli.optional_packages import pip_install

# Exit statuses of the commands: all done; the work or some of its items failed; a mistake in what was given; a
# training that was asked to stop (SIGTERM, SIGUSR1) and has written a checkpoint to resume from; Ctrl-C.
DONE, FAILED, MISTAKE, PREEMPTED, INTERRUPTED = 0, 1, 2, 75, 130


class InputError(ValueError):
    """A file, field or value cannot be used; the message names it and says what to do.

    Commands print the message alone; any other exception is a fault of the program and keeps its traceback.

    Args:
        *args (object): The message.
        details (Sequence[str]): Lines that are printed below the message: what is wrong in each place.
    """

    def __init__(self, *args: object, details: Sequence[str] = ()):
        super().__init__(*args)
        self.details = tuple(details)

    def __str__(self) -> str:
        return '\n'.join((super().__str__(), *self.details))


class UnsupportedModelError(InputError):
    """An object of the wrong kind was given: a model that cannot be explained, accelerated, ..."""


class TrainingError(RuntimeError):
    """Training cannot go on, though nothing that was given is plainly wrong: a loss that is not finite, ...

    Commands print the message alone, which names the cure, and exit with status 1.
    """


class Preempted(SystemExit):
    """A training that was asked to stop has written a checkpoint; ends the process with status 75."""

    def __init__(self) -> None:
        super().__init__(PREEMPTED)


def require_choice(name: str, value: object, choices: Iterable[object]) -> None:
    """Check an option that is one of a few values.

    Raises:
        InputError: ``value`` is none of ``choices``; lists them.
    """
    choices = list(choices)
    if value not in choices:
        raise InputError(f'{name}={value!r} is unknown; choose {" or ".join(map(repr, choices))}')


def require_at_least(name: str, value: float | None, least: float) -> None:
    """Check a number; None, where a number may be left out, passes.

    Raises:
        InputError: ``value`` is smaller than ``least``, NaN, or no number.
    """
    if value is not None and not (isinstance(value, Real) and value >= least):
        raise InputError(f'{name}={value} must be at least {least}')


def require_finite(name: str, value: float) -> None:
    """Check a number.

    Raises:
        InputError: ``value`` is NaN, infinite, or no number.
    """
    if not (isinstance(value, Real) and isfinite(value)):
        raise InputError(f'{name}={value!r} must be a finite number')


def require_positive(name: str, value: float) -> None:
    """Check a number that must be greater than 0.

    Raises:
        InputError: ``value`` is 0 or smaller, NaN, infinite, or no number.
    """
    if not (isinstance(value, Real) and 0 < value < inf):
        raise InputError(f'{name}={value} must be greater than 0')


def require_probability(name: str, value: float, one: bool = True) -> None:
    """Check a probability.

    Args:
        name (str): Of the option.
        value (float): Its value.
        one (bool): Whether 1 is allowed.

    Raises:
        InputError: ``value`` is not between 0 and 1, or no number.
    """
    if not (isinstance(value, Real) and 0 <= value <= 1 and (one or value < 1)):
        raise InputError(f'{name}={value} must be from 0 to 1{"" if one else ", and less than 1"}')


def require_size(name: str, value: object, least: int = 1) -> None:
    """Check a size (w, h) or (h, w), as of an image.

    Raises:
        InputError: ``value`` is not a sequence of two numbers from ``least`` on.
    """
    numbers = list(value) if isinstance(value, Iterable) and not isinstance(value, str) else []
    if len(numbers) != 2 or not all(isinstance(one, Real) and float(one) >= least for one in numbers):
        raise InputError(f'{name}={value} must be two numbers, each at least {least}')


def require_known(kind: str, names: Iterable[str], known: Iterable[str]) -> None:
    """Check names that were given, as of keyword options.

    Raises:
        InputError: A name is none of ``known``; lists those.
    """
    known = list(known)
    for name in names:
        if name not in known:
            raise InputError(f'{kind} {name!r} is unknown; choose from {", ".join(known)}')


def require_package(*names: str) -> None:
    """Check that packages are installed.

    Raises:
        InputError: One is not; the message has the pip command for all of them.
    """
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(f'{" and ".join(missing)} not installed: {pip_install(*missing)}')


def reason(error: BaseException) -> str:
    """The first sentence of an error's message, or its type's name where it has none."""
    return re.split(r'\n|\. ', str(error).strip())[0] or type(error).__name__
