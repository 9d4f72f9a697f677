"""The argument parser that every command starts from; standard library only."""

from __future__ import annotations

import argparse


def command_parser(command: str, description: str, example: str = '', epilog: str = '') -> argparse.ArgumentParser:
    """An argument parser whose ``--help`` ends with an example.

    Args:
        command (str): Its name in ``mmtranspose COMMAND``.
        description (str): What it does.
        example (str): One or several command lines.
        epilog (str): What is said before the example.
    """
    parts = [epilog.rstrip(), f'example:\n  {example}' if example else '']
    return argparse.ArgumentParser(
        prog=f'mmtranspose {command}',
        description=description,
        epilog='\n\n'.join(part for part in parts if part),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
