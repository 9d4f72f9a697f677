"""The argument parser that all commands are built on; standard library only."""

from __future__ import annotations

import argparse
import shutil
import textwrap
from typing import NoReturn

from mmtranspose_cli.terminal import printable


class CommandParser(argparse.ArgumentParser):
    """An argument parser whose errors are one line, whatever the arguments hold."""

    def error(self, message: str) -> NoReturn:
        """Print the usage and the message, and exit with status 2."""
        super().error(printable(message))


def command_parser(command: str, description: str, example: str = '', epilog: str = '') -> argparse.ArgumentParser:
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
