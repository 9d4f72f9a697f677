"""The argument parser that all commands are built on; standard library only."""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import textwrap
from collections.abc import Callable
from typing import NoReturn

from mmtranspose_cli.terminal import print_error


class CommandParser(argparse.ArgumentParser):
    """An argument parser whose errors are a sentence, whatever the arguments hold, and say where help is.

    Attributes:
        advice: Called at an error; a sentence that it returns is printed in the place of the message.
    """

    advice: Callable[[], str | None] | None = None

    def error(self, message: str) -> NoReturn:
        """Print the message and where help is, or the advice, and exit with status 2."""
        advised = None if self.advice is None else self.advice()
        print_error(advised or message)
        if advised is None:
            found = re.search(r'^example:\n((?:.*\\\n)*.*)', self.epilog or '', re.MULTILINE)  # its first command
            shown = f' An example:\n{found[1]}' if found and 'required' in message else ''
            print(f'`{self.prog} --help` describes the arguments.{shown}', file=sys.stderr)
        self.exit(2)


def command_parser(command: str, description: str, example: str = '', epilog: str = '') -> CommandParser:
    """Make an argument parser whose ``--help`` ends with an example.

    Args:
        command (str): The name in ``mmtranspose COMMAND``.
        description (str): What the command does.
        example (str): One or several command lines.
        epilog (str): Text before the example.
    """
    width = max(shutil.get_terminal_size().columns - 2, 40)
    parts = [epilog.rstrip(), f'example:\n  {example}' if example else '']
    return CommandParser(
        prog=f'mmtranspose {command}',
        description='\n\n'.join(textwrap.fill(paragraph, width) for paragraph in description.split('\n\n')),
        epilog='\n\n'.join(part for part in parts if part),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
