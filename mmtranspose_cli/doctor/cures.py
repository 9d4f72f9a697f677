"""Turn the steps of a cure into pip commands, in the order that works."""

from __future__ import annotations

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


def quote(requirement: str) -> str:
    """A requirement as a shell needs it: in double quotes if it has special characters."""
    return f'"{requirement}"' if re.search(r'[<>=!~*]', requirement) else requirement


def merged(steps: Iterable[Step], kind: int) -> list[str]:
    """The arguments of all steps of a kind, in order and without repetition."""
    return list(dict.fromkeys(step.arguments for step in steps if step.kind == kind))


def commands(steps: Sequence[Step], executable: str, has_pip: bool = True) -> list[str]:
    """The commands that carry out the steps.

    Args:
        steps: Steps of every finding, in any order.
        executable: The Python whose environment is cured.
        has_pip: Whether pip is there; otherwise it is installed first.
    """
    python = shlex.quote(executable)
    lines = []
    if steps and not has_pip:
        lines.append(f'{python} -m ensurepip')
    names = merged(steps, UNINSTALL)
    if names:
        lines.append(f'{python} -m pip uninstall -y {" ".join(names)}')
    requirements = merged(steps, INSTALL)
    if requirements:
        lines.append(f'{python} -m pip install {" ".join(map(quote, requirements))}')
    for step in sorted(dict.fromkeys(steps), key=lambda step: step.kind):
        if step.kind in (REINSTALL, BUILD, NO_DEPS):
            comment = f'  # {step.comment}' if step.comment else ''
            variables = f'{step.variables} ' if step.variables else ''
            lines.append(f'{variables}{python} -m pip install {step.arguments}{comment}')
    return lines
