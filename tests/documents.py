"""The command lines in the code blocks of Markdown pages, and what their parsers say of them."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

import parsers
from markdown_pages import code_blocks

from mmtranspose_cli.main import COMMANDS, SCRIPTS

# Options of mim's own; it gives all others to the script.
MIM_OPTIONS = {'--launcher': 1, '--gpus': 1, '-G': 1, '--gpus-per-node': 1, '--partition': 1, '-p': 1}
MIM_SEARCH = ('--config', '--valid-config', '--model', '--dataset', '--condition', '--sort', '--field', '--valid-field')
MIM_DOWNLOAD = ('--config', '--dataset', '--dest')


def commands(path: Path, language: str = 'bash') -> list[list[str]]:
    """The command lines of a page's blocks, each split into words, without comments."""
    blocks = code_blocks(path.read_text(encoding='utf-8'), language)
    found, begun = [], ''
    for line in '\n'.join(block.code for block in blocks).replace('\\\n', ' ').splitlines():
        begun += line
        try:
            found.append(shlex.split(begun, comments=True))
            begun = ''
        except ValueError:  # a quotation goes on in the next line
            begun += '\n'
    assert not begun, f'{path}: a quotation is not closed: {begun}'
    return [words for words in found if words]


def parse_mmtranspose(words: list[str]) -> argparse.Namespace | None:
    """Give the words after ``mmtranspose`` to the command's own parser and do nothing else; None for a shell script.

    Raises:
        SystemExit: The parser refuses them.
    """
    if words[0] in SCRIPTS:
        return None
    assert words[0] in COMMANDS, words[0]
    return parsers.parse(shlex.join(['mmtranspose', *words]))


def parse_mim(words: list[str]) -> argparse.Namespace | None:
    """Do the same for the words after ``mim``: what mim gives to a script of ours goes to that command's parser.

    Raises:
        SystemExit: The parser refuses them.
    """
    action, package, *arguments = words
    assert package in ('mmtranspose', 'mmpose'), package
    if action in ('search', 'download'):
        known = MIM_SEARCH if action == 'search' else MIM_DOWNLOAD
        assert {word for word in arguments if word.startswith('-')} <= set(known)
        return None
    assert action in ('train', 'test', 'run'), action
    kept, given = [] if action == 'run' else [action], iter(arguments)
    for word in given:
        if word in MIM_OPTIONS and action != 'run':
            next(given)
        elif word == '--checkpoint' and action == 'test':
            kept.insert(2, next(given))
        else:
            kept.append(word)
    return parse_mmtranspose([kept[0].replace('_', '-'), *kept[1:]])
