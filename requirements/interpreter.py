"""Find a Python that an environment can be made from. Standard library only, Python 3.8 syntax."""

from __future__ import annotations

import json
import os
import platform
import shlex
import shutil
import subprocess
import sys

ACCEPTED = ((3, 10), (3, 11), (3, 12))
CANDIDATES = ('python3.11', 'python3.10', 'python3.12', 'python3')

PROBE = """
import json, os, sys, sysconfig
def has(name):
    try:
        __import__(name)
    except Exception:
        return False
    return True
print(json.dumps({'version': list(sys.version_info[:2]), 'venv': has('venv') and has('ensurepip'),
    'compiler': os.environ.get('CC') or sysconfig.get_config_var('CC') or 'cc',
    'headers': os.path.exists(os.path.join(sysconfig.get_paths()['include'], 'Python.h'))}))
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
        return (
            f'{label} does not serve: Python 3.10, 3.11 or 3.12 is needed, name one with BASE_PYTHON=/path/to/python.'
        )
    if not facts['venv']:
        package = 'python{}.{}-venv'.format(*version)
        return f'{label} has no venv module: install it (Debian: apt install {package}), or name another BASE_PYTHON.'
    if version < (3, 12) and not (sys.platform == 'linux' and platform.machine() != 'x86_64'):
        return ''
    lacking = '' if shutil.which(shlex.split(facts['compiler'])[0]) else 'a C compiler (Debian: apt install gcc)'
    lacking = lacking or (
        '' if facts['headers'] else 'its headers (Debian: apt install python{}.{}-dev)'.format(*version)
    )
    return lacking and (
        f'{label} needs {lacking}, because xtcocotools has no wheel for it: install that, or use Python 3.10 or 3.11 '
        'on x86-64 (BASE_PYTHON=/path/to/python).'
    )


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
        raise SetupError(f'BASE_PYTHON={base} does not run: give the path of a Python 3.10, 3.11 or 3.12.')
    raise SetupError(
        'No Python found: install Python 3.11, 3.10 or 3.12, or name one with BASE_PYTHON=/path/to/python.'
    )
