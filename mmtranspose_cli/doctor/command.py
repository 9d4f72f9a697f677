"""The command line of ``mmtranspose doctor``."""

from __future__ import annotations

import argparse
import os
import sys

from mmtranspose_cli.doctor.environment import examine
from mmtranspose_cli.doctor.faults import BROKEN, diagnose
from mmtranspose_cli.doctor.report import as_json, as_text
from mmtranspose_cli.parser import command_parser

EPILOG = """\
verdicts:
  ok      works
  note    works, and there is something to know about it
  broken  something will fail; a sentence says what, and commands cure it

exit code: 0 where nothing is broken (notes do not count), 1 where something is, 2 for bad arguments

another environment, from a checkout (nothing has to be installed in it):
  /path/to/python -m mmtranspose_cli.doctor
"""


def seconds(text: str) -> float:
    """Parse an argument that is a number of seconds, at most a day."""
    value = float(text)
    if not 0 < value <= 86400:
        raise argparse.ArgumentTypeError(f'{text} is not a number of seconds, at most a day')
    return value


def parser() -> argparse.ArgumentParser:
    """The arguments of ``mmtranspose doctor``."""
    arguments = command_parser(
        'doctor',
        'Examine the environment: what works, what will fail, and the commands that cure it. Modules are tried in '
        'processes of their own; nothing is changed.',
        'mmtranspose doctor\n  mmtranspose doctor --json > doctor.json    # to send along with a bug report',
        EPILOG,
    )
    arguments.add_argument('--json', action='store_true', help='print everything as JSON')
    arguments.add_argument('--quiet', action='store_true', help='print only what is broken, and nothing if all is well')
    arguments.add_argument(
        '--also',
        action='append',
        default=[],
        metavar='NAME',
        help='name of a further module that must be installed (may be given several times)',
    )
    arguments.add_argument(
        '--timeout', type=seconds, default=120, metavar='SECONDS', help='limit for trying one module (default: 120)'
    )
    return arguments


class Progress:
    """A line on the terminal that names the module that is being tried; it is removed at the end."""

    def __init__(self) -> None:
        self.on = sys.stderr.isatty()

    def say(self, name: str) -> None:
        """Show the name of a module."""
        if self.on:
            print(f'\r\x1b[Ktrying {name} ...', end='', file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Remove the line."""
        if self.on:
            print('\r\x1b[K', end='', file=sys.stderr, flush=True)


def main(arguments: list[str] | None = None) -> int:
    """Examine the environment, print the report, and return the exit status: 1 if something is broken, else 0.

    Args:
        arguments: The words of the command line after ``doctor``; None: those of ``sys.argv``.
    """
    options = parser().parse_args(arguments)
    progress = Progress()
    try:
        env = examine(tuple(options.also), options.timeout, progress.say)
    except KeyboardInterrupt:
        print('Interrupted.', file=sys.stderr)
        return 130
    finally:
        progress.clear()
    findings = diagnose(env)
    if options.json:
        text = as_json(env, findings)
    else:
        text = as_text(env, findings, sys.stdout.isatty() and not os.environ.get('NO_COLOR'), options.quiet)
    print(text, end='')
    return int(any(finding.verdict == BROKEN for finding in findings))
