"""Print text that comes from outside (file names, annotations) without letting it steer the terminal or forge lines."""

from __future__ import annotations

import logging
import re
import sys
import warnings
from typing import Any

# Control characters, the marks that change the direction of text, separators of lines, halves of surrogate pairs.
STEERING = re.compile('[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]')
# The same but line breaks and tabs, for text that has lines of its own.
STEERING_IN_LINES = re.compile(STEERING.pattern.replace('\x00-\x1f', '\x00-\x08\x0b-\x1f'))


def printable(text: object, lines: bool = False) -> str:
    r"""Escape the characters of a text that would steer a terminal: ESC becomes ``\x1b``, a line break ``\n``.

    Args:
        text: A file name, a message that contains one, or anything else that is printed.
        lines: Keep line breaks and tabs, for text of several lines that holds no name.
    """
    pattern = STEERING_IN_LINES if lines else STEERING
    return pattern.sub(lambda found: found[0].encode('unicode_escape').decode(), str(text))


def print_error(text: object) -> None:
    """Print ``error:`` and a message as one line of the standard error; below it an ``InputError``'s details."""
    details = getattr(text, 'details', ())
    message = text.args[0] if details and isinstance(text, Exception) else text
    print(f'error: {printable(message)}', *map(printable, details), sep='\n', file=sys.stderr)


def escape_messages() -> None:
    """Escape what the log and the warnings of this process say, those of other libraries included; lines stay."""
    logging.setLogRecordFactory(PrintableRecord)
    warnings.formatwarning = _format_warning


def print_any_character() -> None:
    r"""Print a character that the standard output cannot write, as in a file on Windows, as ``\u56fe``: no error."""
    if hasattr(sys.stdout, 'reconfigure'):  # not where a program has put another output in its place
        sys.stdout.reconfigure(errors='backslashreplace')


class PrintableRecord(logging.LogRecord):
    """A record of the log whose message cannot steer a terminal."""

    def getMessage(self) -> str:
        """The message with its arguments put in."""
        return printable(super().getMessage(), lines=True)


_plain_warning = warnings.formatwarning


def _format_warning(*args: Any, **kwargs: Any) -> str:
    return printable(_plain_warning(*args, **kwargs), lines=True)
