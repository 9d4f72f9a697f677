"""The command line."""

from __future__ import annotations

import argparse
import os
import sys

from mmtranspose_cli.doctor.environment import examine
from mmtranspose_cli.doctor.faults import BROKEN, diagnose
from mmtranspose_cli.doctor.report import as_json, as_text

EPILOG = """\
verdicts:
  ok      works
  note    works, and there is something to know about it
  broken  something will fail; a sentence says what, and commands cure it

exit code: 0 where nothing is broken (notes do not count), 1 where something is, 2 for bad arguments

examples:
  mmtranspose doctor                      the environment that the command is in
  mmtranspose doctor --json > doctor.json to send along with a bug report
  /path/to/python -m mmtranspose_cli.doctor
                                          another environment, from a checkout; nothing need be installed in it
"""


def seconds(text: str) -> float:
    value = float(text)
    if not 0 < value <= 86400:
        raise argparse.ArgumentTypeError(f'{text} is not a number of seconds, at most a day')
    return value


def parser() -> argparse.ArgumentParser:
    arguments = argparse.ArgumentParser(
        prog='mmtranspose doctor',
        description='Look at the environment: what works, what will break, and the commands that cure it. Modules are '
        'tried in processes of their own; nothing is changed.',
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    arguments.add_argument('--json', action='store_true', help='print everything as JSON')
    arguments.add_argument('--quiet', action='store_true', help='print only what is broken; nothing if all is well')
    arguments.add_argument(
        '--also',
        action='append',
        default=[],
        metavar='NAME',
        help='a further module that must be there (repeatable)',
    )
    arguments.add_argument(
        '--timeout', type=seconds, default=120, metavar='SECONDS', help='for trying one module (default: 120)'
    )
    return arguments


class Progress:
    """A line on the terminal that names what is being tried, and goes away."""

    def __init__(self):
        self.on = sys.stderr.isatty()

    def say(self, name: str) -> None:
        if self.on:
            print(f'\r\x1b[Ktrying {name} ...', end='', file=sys.stderr, flush=True)

    def clear(self) -> None:
        if self.on:
            print('\r\x1b[K', end='', file=sys.stderr, flush=True)


def main(arguments: list[str] | None = None) -> int:
    """Examine, print, and return the exit code: 1 where something will break, else 0.

    Args:
        arguments: The command line's words after ``doctor``; None takes ``sys.argv``'s.
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
