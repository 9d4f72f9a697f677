"""Break long command lines by backslashes, so that they are read without scrolling."""

from __future__ import annotations

import re

WIDTH = 88  # characters that a code block of the site shows, see docs/style.css
WORD = re.compile(r"""(?:[^\s"']|"[^"]*"|'[^']*')+""")
INDENT = '    '


def broken(command: str, width: int = WIDTH) -> str:
    """A command line in lines of at most ``width`` characters where it can be: first before options, else before words.

    Args:
        command (str): One command, or several joined by ``&&`` or ``|``; no comment.
        width (int): Characters of a line, its backslash included.
    """
    if len(command) <= width:
        return command
    room = width - len(' \\')
    lines, line = [], ''
    for group in _groups(WORD.findall(command)):
        whole = ' '.join(group)
        together = len(INDENT) + len(whole) <= room or len(line) + 1 + len(whole) <= room
        for piece in [whole] if together else group:
            longer = f'{line} {piece}' if line else piece
            if line and len(longer) > room:
                lines.append(line)
                longer = INDENT + piece
            line = longer
    return ' \\\n'.join([*lines, line])


def _groups(words: list[str]) -> list[list[str]]:
    """Words that belong together: an option with its values, a further command with its arguments."""
    groups: list[list[str]] = [[]]
    for word in words:
        if word.startswith('-') or word in ('&&', '|'):
            groups.append([])
        groups[-1].append(word)
    return [group for group in groups if group]
