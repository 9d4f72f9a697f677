"""Reference pages of all commands, from their argument parsers and, for shell scripts, from their ``--help``."""

from __future__ import annotations

import argparse
import os
import re
import subprocess
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any
from unittest.mock import patch

from line_breaks import broken
from parsers import parser_of

from mmtranspose_cli.main import COMMANDS, SCRIPTS, STATUSES

TOOLS = Path(__file__).resolve().parents[2] / 'tools'
NO_DEFAULT: tuple[Any, ...] = (None, argparse.SUPPRESS, '', False, [], {}, ())
INTRODUCTION = """# Commands

`mmtranspose --help` prints this list, and `mmtranspose COMMAND --help` the page of a command.

| command | what it does |
|---|---|
"""


def command_pages() -> dict[str, str]:
    """All pages: file name to Markdown."""
    rows = [*COMMANDS.items(), *((name, what) for name, (_, what) in SCRIPTS.items())]
    pages = {
        f'{name}.md': f'---\ntitle: {name}\n---\n' + (script_page if name in SCRIPTS else parser_page)(name)
        for name, _ in rows
    }
    table = ''.join(f'| [`{name}`]({name}.md) | {what} |\n' for name, what in rows)
    return {'index.md': INTRODUCTION + table + exit_statuses('## '), **pages}


def exit_statuses(level: str) -> str:
    """The exit statuses that all commands share, as a section."""
    rows = (line.strip().split(maxsplit=1) for line in STATUSES[1:])
    return f'\n{level}Exit statuses\n\n| status | meaning |\n|---|---|\n' + ''.join(f'| {a} | {b} |\n' for a, b in rows)


def script_page(name: str) -> str:
    """Page of a command that is a shell script."""
    done = subprocess.run(
        ['bash', str(TOOLS / SCRIPTS[name][0]), '--help'],
        env={**os.environ, 'COMMAND': f'mmtranspose {name}'},
        capture_output=True,
        text=True,
        check=True,
    )
    usage, about, example = re.split(r'\n\n', done.stdout.strip(), maxsplit=2)
    example = example.removeprefix('example:')
    sections = [
        f'# mmtranspose {name}',
        sentence(SCRIPTS[name][1]),
        fenced(usage.removeprefix('usage: ')),
        '## Notes',
        fenced(about),
        '## Example',
        shell(example),
    ]
    return '\n\n'.join(sections) + '\n' + exit_statuses('## ')


def parser_page(name: str) -> str:
    """Page of a command with an argument parser, and of its modes."""
    with patch.dict(os.environ, COLUMNS='88'):
        parsers = [parser_of(name)]
        if name == 'benchmark':
            parsers.append(parser_of(name, ('report',)))
        title, *sections = (section for parser in parsers for section in parser_sections(parser, '#'))
    return '\n\n'.join([title, *sections]) + '\n' + exit_statuses('## ')


def parser_sections(parser: argparse.ArgumentParser, level: str) -> Iterator[str]:
    """Heading, description, usage, examples and options of a parser, then those of its modes."""
    yield f'{level} {parser.prog}'
    yield from re.split(r'\n\n', unfilled(parser.description or ''))
    yield fenced(re.sub(r'^ {7}', '', parser.format_usage().removeprefix('usage: ').rstrip(), flags=re.MULTILINE))
    notes, found, example = (parser.epilog or '').partition('example:\n')
    if found:
        yield f'**Example**\n\n{shell(example)}'
    modes = []
    for group in parser._action_groups:
        actions = [action for action in group._group_actions if action.help != argparse.SUPPRESS]
        modes += [action for action in actions if isinstance(action, argparse._SubParsersAction)]
        actions = [action for action in actions if action not in modes and '--help' not in action.option_strings]
        if actions:
            title, _, note = (group.title or '').partition(' (')
            title = 'arguments' if title == 'positional arguments' else title
            yield f'{level}# {sentence(title, dot=False)}' if level == '#' else f'**{sentence(title, dot=False)}**'
            if note:
                yield sentence(note.removesuffix(')'))
            yield options(parser, actions)
    if notes.strip():
        yield f'{level}# Notes' if level == '#' else '**Notes**'
        yield fenced(notes.strip('\n'))
    for action in modes:
        for mode in action.choices.values():
            yield from parser_sections(mode, level + '#')


def options(parser: argparse.ArgumentParser, actions: list[argparse.Action]) -> str:
    """A list of options with their meanings and defaults; HTML, since help texts are not Markdown."""
    formatter = parser._get_formatter()
    items = []
    for action in actions:
        names = formatter._format_action_invocation(action)
        text = re.sub(r'`([^`]+)`', r'<code>\1</code>', escape(formatter._expand_help(action) if action.help else ''))
        items.append(f'<dt><code>{escape(names)}</code></dt>\n<dd>{text}{default(action)}</dd>')
    return '<dl class="options">\n' + '\n'.join(items) + '\n</dl>'


def default(action: argparse.Action) -> str:
    """The default of an option, where its help does not say it."""
    value: Any = action.default
    if '(default' in (action.help or '') or value in NO_DEFAULT or isinstance(action, argparse._StoreConstAction):
        return ''
    shown = ' '.join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
    return f' (default: <code>{escape(shown)}</code>)'


def unfilled(text: str) -> str:
    """Paragraphs of one line each."""
    return re.sub(r'(?<!\n)\n(?!\n)', ' ', text.strip())


def sentence(text: str, dot: bool = True) -> str:
    """The text with a capital, and a full stop."""
    return text[:1].upper() + text[1:] + ('.' if dot else '')


def dedented(text: str) -> str:
    """The text without the blanks that all its lines begin with, of which the first line may have none."""
    first, *others = text.strip('\n').rstrip().splitlines()
    indent = min((len(line) - len(line.lstrip()) for line in others if line.strip()), default=0)
    return '\n'.join([first.strip(), *(line[indent:] for line in others)])


def shell(example: str) -> str:
    """A block of command lines, the long ones broken."""
    whole = re.sub(r' *\\\n *', ' ', dedented(example))
    return fenced('\n'.join(map(broken, whole.splitlines())), 'bash')


def fenced(text: str, language: str = 'text') -> str:
    """A block of code."""
    return f'```{language}\n{text}\n```'
