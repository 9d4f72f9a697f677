"""Pip commands, in the order that works."""

from __future__ import annotations

import re
import shlex
from typing import NamedTuple

# In this order: what stands in the way goes, requirements come in one command (so that pip sees them all), then what
# has to fit what is there by then.
UNINSTALL, INSTALL, REINSTALL, BUILD, NO_DEPS = range(5)


class Step(NamedTuple):
    """A part of a cure.

    Attributes:
        kind: ``UNINSTALL`` and ``INSTALL`` are merged into one command each; the others are commands of their own.
        arguments: One requirement or name; for the other kinds, pip's arguments.
        comment: What to know before running it.
        variables: What to set for it: 'MMCV_WITH_OPS=1'.
    """

    kind: int
    arguments: str
    comment: str = ''
    variables: str = ''


def quote(requirement: str) -> str:
    """A requirement as a shell needs it, in double quotes if at all."""
    return f'"{requirement}"' if re.search(r'[<>=!~*]', requirement) else requirement


def merged(steps, kind: int) -> list:
    """The arguments of a kind's steps, each once, in the order in which they came."""
    return list(dict.fromkeys(step.arguments for step in steps if step.kind == kind))


def commands(steps, executable: str, has_pip: bool = True) -> list[str]:
    """The commands that take all steps.

    Args:
        steps: Steps of every finding, in any order.
        executable: The Python whose environment is cured.
        has_pip: False has pip itself installed first.
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
