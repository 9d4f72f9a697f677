"""The command line of ``mmtranspose doctor``."""

from __future__ import annotations

import argparse
import os
import sys

from mmtranspose_cli.doctor import fixing
from mmtranspose_cli.doctor.environment import Environment, examine
from mmtranspose_cli.doctor.faults import BROKEN, Finding, diagnose
from mmtranspose_cli.doctor.report import as_json, as_text, cure
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
        'Examine the environment: what works, what will fail, and which commands fix it. Modules are tried in '
        'processes of their own. Nothing is changed unless --fix is given.',
        'mmtranspose doctor\n  mmtranspose doctor --fix                   # asks, and runs the commands\n'
        '  mmtranspose doctor --json > doctor.json    # to send along with a bug report',
        EPILOG,
    )
    arguments.add_argument('--fix', action='store_true', help='run the commands that fix what is broken, after asking')
    arguments.add_argument('--yes', action='store_true', help='with --fix: do not ask')
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

    With ``--fix`` it cures what is broken, if the person agrees, and examines the environment again.

    Args:
        arguments: The words of the command line after ``doctor``; None: those of ``sys.argv``.
    """
    arguments_of = parser()
    options = arguments_of.parse_args(arguments)
    if options.yes and not options.fix:
        arguments_of.error('--yes goes with --fix')
    if options.fix and options.json:
        arguments_of.error('--fix talks to you, --json to a program: choose one')
    try:
        env, findings = examined(options)
        commands = cure(env, findings)
        if options.fix and is_broken(findings) and not commands:
            print('Nothing was run: no command here cures what is broken.', file=sys.stderr)
        large = any(word.startswith('torch') for command in commands for word in command.words)
        cost = ' (PyTorch and all that is with it: some minutes, 6 GB on disk)' if large else ''
        if not (options.fix and commands and fixing.agreed(options.yes, cost)):
            return int(is_broken(findings))
        fixed = fixing.run(commands)
        print()
        _, findings = examined(options)
    except KeyboardInterrupt:
        print('Interrupted.', file=sys.stderr)
        return 130
    return int(not fixed or is_broken(findings))


def examined(options: argparse.Namespace) -> tuple[Environment, list[Finding]]:
    """Examine the environment, and print the report."""
    progress = Progress()
    try:
        env = examine(tuple(options.also), options.timeout, progress.say)
    finally:
        progress.clear()
    findings = diagnose(env)
    if options.json:
        text = as_json(env, findings)
    else:
        text = as_text(env, findings, sys.stdout.isatty() and not os.environ.get('NO_COLOR'), options.quiet)
    print(text, end='', flush=True)
    return env, findings


def is_broken(findings: list[Finding]) -> bool:
    """Whether something will fail."""
    return any(finding.verdict == BROKEN for finding in findings)
