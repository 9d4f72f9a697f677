"""The argument parsers of the commands, which each command's ``main`` makes and uses at once."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, NoReturn
from unittest.mock import patch

from mmtranspose_cli.parser import CommandParser


class Parsed(Exception):
    """Raised in place of running the command."""

    def __init__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace | None):
        super().__init__(parser.prog)
        self.parser = parser
        self.namespace = namespace


def main_of(command: str) -> Any:
    """Function ``main`` of a command: its module is found as ``mmtranspose COMMAND`` finds it."""
    if command == 'doctor':
        return import_module('mmtranspose_cli.doctor').main
    return import_module(f'mmtranspose.commands.{command.replace("-", "_")}').main


def parser_of(command: str, arguments: tuple[str, ...] = ()) -> argparse.ArgumentParser:
    """The parser of a command; ``arguments`` choose among several (``benchmark report``)."""

    def give_parser(self: argparse.ArgumentParser, *_: Any, **__: Any) -> NoReturn:
        raise Parsed(self, None)

    with patch.multiple(CommandParser, parse_args=give_parser, parse_intermixed_args=give_parser):
        return _stopped(command, list(arguments)).parser


def parse(command_line: str) -> argparse.Namespace:
    """Parse ``mmtranspose COMMAND ...`` as the command does, without running it.

    Raises:
        SystemExit: The command's parser refuses the arguments.
    """
    program, command, *arguments = shlex.split(command_line, comments=True)
    assert program.rpartition('/')[2] == 'mmtranspose', command_line
    with _stop_after('parse_args'), _stop_after('parse_intermixed_args'):
        namespace = _stopped(command, arguments).namespace
    assert namespace is not None
    return namespace


@contextmanager
def _stop_after(method: str) -> Iterator[None]:
    plain = getattr(argparse.ArgumentParser, method)

    def stop(self: argparse.ArgumentParser, *args: Any, **options: Any) -> NoReturn:
        self.allow_abbrev = False  # an abbreviation that works today may be ambiguous tomorrow
        raise Parsed(self, plain(self, *args, **options))

    with patch.object(CommandParser, method, stop):
        yield


def _stopped(command: str, arguments: list[str]) -> Parsed:
    try:
        main_of(command)(arguments)
    except Parsed as stopped:
        return stopped
    raise AssertionError(f'mmtranspose {command} parsed no arguments')
