"""Turn the steps of a cure into pip commands, in the order that works."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Sequence
from typing import NamedTuple

# The order of the commands: first uninstall what is in the way, then install all requirements in one command (so that
# pip sees them together), then whatever has to fit what is installed by then.
UNINSTALL, INSTALL, REINSTALL, BUILD, NO_DEPS = range(5)


class Step(NamedTuple):
    """A part of a cure.

    Attributes:
        kind: ``UNINSTALL`` and ``INSTALL`` are merged into one command each; the others are commands of their own.
        arguments: One requirement or name; for the other kinds, pip's arguments.
        comment: A remark that is printed behind the command.
        variables: Environment variables for the command: 'MMCV_WITH_OPS=1'.
    """

    kind: int
    arguments: str
    comment: str = ''
    variables: str = ''


class Command(NamedTuple):
    """A command of a cure; as text it is what people type into a shell.

    Attributes:
        words: The program and its arguments.
        comment: A remark.
        variables: Environment variables, as a step has them.
    """

    words: tuple[str, ...]
    comment: str = ''
    variables: str = ''

    def text(self, then: str = '') -> str:
        """The line for a shell, with ``then`` behind the command, before its comment."""
        variables = f'set {self.variables}&&' if os.name == 'nt' and self.variables else self.variables
        comment = f'  # {self.comment}' if self.comment else ''
        return ' '.join(filter(None, (variables, *map(quote, self.words), then))) + comment


def quote(word: str) -> str:
    """A word as the shell of this system needs it: requirements in double quotes."""
    if os.name == 'nt':
        return f'"{word}"' if re.search(r'[^\w.:/\\+-]', word) else word
    return f'"{word}"' if re.fullmatch(r'[\w.-]+[<>=~][\w.,<>=~*+-]*', word) else shlex.quote(word)


def chained(commands: Sequence[Command]) -> list[str]:
    """The lines of commands that a shell runs as one, up to the first that fails: an end in ``&&`` goes on below.

    The shells of Windows know no such lines; there they are commands of their own.
    """
    then = '' if os.name == 'nt' else '&&'
    return [command.text(then) for command in commands[:-1]] + [command.text() for command in commands[-1:]]


def merged(steps: Iterable[Step], kind: int) -> list[str]:
    """The arguments of all steps of a kind, in order and without repetition."""
    return list(dict.fromkeys(step.arguments for step in steps if step.kind == kind))


def commands(steps: Sequence[Step], executable: str, has_pip: bool = True) -> list[Command]:
    """The commands that carry out the steps.

    Args:
        steps: Steps of every finding, in any order.
        executable: The Python whose environment is cured.
        has_pip: Whether pip is there; otherwise it is installed first.
    """
    found = []
    if steps and not has_pip:
        found.append(Command((executable, '-m', 'ensurepip')))
    pip = (executable, '-m', 'pip')
    names = merged(steps, UNINSTALL)
    if names:
        found.append(Command((*pip, 'uninstall', '-y', *names)))
    requirements = merged(steps, INSTALL)
    if requirements:
        found.append(Command((*pip, 'install', *requirements)))
    others = (step for step in dict.fromkeys(steps) if step.kind in (REINSTALL, BUILD, NO_DEPS))
    return found + [
        Command((*pip, 'install', *shlex.split(step.arguments)), step.comment, step.variables)
        for step in sorted(others, key=lambda step: step.kind)
    ]
