"""Run the commands of a cure, after asking: ``mmtranspose doctor --fix``."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence

from mmtranspose_cli.doctor.cures import Command
from mmtranspose_cli.terminal import printable


def agreed(yes: bool, cost: str = '') -> bool:
    """Ask whether to run the commands that the report has shown, and say what they cost; do not ask with ``yes``."""
    if yes:
        return True
    if not sys.stdin.isatty():
        print('Nothing was run: there is nobody to ask; --yes runs it without asking.', file=sys.stderr)
        return False
    try:
        return input(f'Run the cure{cost}? [y/N] ').strip().lower() in ('y', 'yes')
    except EOFError:
        return False


def run(commands: Sequence[Command]) -> bool:
    """Run commands one after the other, up to the first that fails; returns whether none did."""
    for command in commands:
        print(f'\n$ {printable(command.text())}', flush=True)
        variables = dict([command.variables.split('=', 1)] if command.variables else [])
        try:
            status = subprocess.run(command.words, env={**os.environ, **variables}).returncode
        except OSError as error:
            print(f'error: {printable(command.words[0])} does not run: {error.strerror}', file=sys.stderr)
            return False
        if status:
            print(f'error: it failed (exit status {status}); what comes after it was not run', file=sys.stderr)
            return False
    return True
