"""Find a Python that an environment can be made from. Standard library only, Python 3.8 syntax."""

from __future__ import annotations

import json
import os
import subprocess

TESTED = ((3, 13), (3, 12), (3, 11), (3, 10))  # the newest first
ACCEPTED = (*TESTED, (3, 14))  # every pin has wheels for it, too
CANDIDATES = (*('python{}.{}'.format(*version) for version in ACCEPTED), 'python3')

PROBE = """
import json, sys
def has(name):
    try:
        __import__(name)
    except Exception:
        return False
    return True
print(json.dumps({'version': list(sys.version_info[:2]), 'venv': has('venv') and has('ensurepip')}))
"""


class SetupError(Exception):
    """Set-up cannot go on; the message is one sentence that says why and what to do."""


def probe(python) -> dict | None:
    """Ask an interpreter for its version and equipment; None if it does not run (a pyenv shim without its version)."""
    try:
        done = subprocess.run([str(python), '-c', PROBE], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=60)
        return json.loads(done.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None


def unfit(name: str, facts: dict) -> str:
    """Say why no environment can be made from this Python, or return ''."""
    version = tuple(facts['version'])
    label = '{} (Python {}.{})'.format(name, *version)
    if version not in ACCEPTED:
        return f'{label} does not serve: Python 3.10 to 3.14 is needed, name one with BASE_PYTHON=/path/to/python.'
    if not facts['venv']:
        package = 'python{}.{}-venv'.format(*version)
        return f'{label} has no venv module: install it (Debian: apt install {package}), or name another BASE_PYTHON.'
    return ''


def choose_python(base: str) -> tuple[str, tuple]:
    """Choose ``base`` or the first suitable candidate; returns it and its version.

    Raises:
        SetupError: None is suitable; the message is about the one that comes nearest.
    """
    problems = []
    for name in [os.path.expanduser(base)] if base else CANDIDATES:
        facts = probe(name)
        if facts is None:
            continue
        problem = unfit(name, facts)
        if not problem:
            return name, tuple(facts['version'])
        problems.append((tuple(facts['version']) not in ACCEPTED, problem))
    if problems:
        raise SetupError(min(problems, key=lambda item: item[0])[1])
    if base:
        raise SetupError(f'BASE_PYTHON={base} does not run: give the path of a Python from 3.10 to 3.14.')
    raise SetupError('No Python found: install one from 3.10 to 3.14, or name it with BASE_PYTHON=/path/to/python.')
