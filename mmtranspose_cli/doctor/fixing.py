"""Run the commands of a cure, after asking: ``mmtranspose doctor --fix``."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence

from mmtranspose_cli.terminal import printable

VARIABLE = re.compile(r'\w+=.*')


def agreed(commands: Sequence[str], yes: bool) -> bool:
    """Show commands, and ask whether to run them.

    Args:
        commands: Lines of ``cures.commands``.
        yes: Do not ask.
    """
    these = 'these commands, one after the other' if commands[1:] else 'this command'
    print(f'To run: {these}')
    print(*(f'  {printable(line)}' for line in commands), sep='\n', flush=True)
    if yes:
        return True
    if not sys.stdin.isatty():
        print('Nothing was run: there is nobody to ask; --yes runs it without asking.', file=sys.stderr)
        return False
    try:
        return input('Run it? [y/N] ').strip().lower() in ('y', 'yes')
    except EOFError:
        return False


def run(commands: Sequence[str]) -> bool:
    """Run commands one after the other, up to the first that fails; returns whether none did."""
    for line in commands:
        words, variables = _split(line)
        print(f'\n$ {printable(line)}', flush=True)
        try:
            status = subprocess.run(words, env={**os.environ, **variables}).returncode
        except OSError as error:
            print(f'error: {printable(words[0])} does not run: {error.strerror}', file=sys.stderr)
            return False
        if status:
            print(f'error: it failed (exit status {status}); what comes after it was not run', file=sys.stderr)
            return False
    return True


def _split(line: str) -> tuple[list[str], dict[str, str]]:
    """The words of a command, without its comment, and the variables before them."""
    words = shlex.split(line, comments=True)
    variables = {}
    while words and VARIABLE.fullmatch(words[0]):
        name, value = words.pop(0).split('=', 1)
        variables[name] = value
    return words, variables
