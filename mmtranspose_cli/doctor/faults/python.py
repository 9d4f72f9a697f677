"""Faults of the Python interpreter."""

from __future__ import annotations

from mmtranspose_cli.doctor.environment import Environment
from mmtranspose_cli.doctor.faults.finding import Finding, broken, note

OLDEST, NEWEST = (3, 10), (3, 13)


def too_old(env: Environment) -> list[Finding]:
    """The Python is older than mmtranspose needs."""
    if env.python >= OLDEST:
        return []
    return broken(
        'Python',
        'needs 3.10 or newer',
        'Python {}.{} is too old: mmtranspose needs Python 3.10 or newer.'.format(*env.python[:2]),
        advice='In a checkout, `make setup BASE_PYTHON=/path/to/python3.13` makes an environment.',
    )


def newer_than_tried(env: Environment) -> list[Finding]:
    """The Python is newer than those that mmtranspose was tried with."""
    if env.python[:2] <= NEWEST:
        return []
    return note(
        'Python',
        'newer than was tried',
        'Python {}.{} was not tried; 3.10 to 3.13 were.'.format(*env.python[:2]),
    )


def no_pip(env: Environment) -> list[Finding]:
    """What is missing cannot be installed into this environment."""
    return broken(
        'Python',
        'pip can install nothing here',
        f'What is broken is cured in an environment of its own: {env.no_pip}.',
        advice='`python3 -m venv ENV` makes one, on Debian and Ubuntu after `apt install python3-venv` (or '
        '`uv venv --seed ENV`); then ask its Python: ENV/bin/python -m mmtranspose_cli.doctor --fix',
    )
