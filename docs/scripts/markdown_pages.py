"""What Markdown files hold, as GitHub reads them: code blocks, headings with their anchors, sections, links.

markdown-it-py reads them: it comes with rich, which mmengine needs, so that tests need nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import NamedTuple

from markdown_it import MarkdownIt
from markdown_it.token import Token

READER = MarkdownIt('commonmark').enable('table')
CODE_SPAN = re.compile(r'(?P<ticks>`+)[^`].*?(?P=ticks)', re.DOTALL)


class CodeBlock(NamedTuple):
    """A fenced block, also in a list.

    Attributes:
        language (str): The first word after the fence.
        code (str): The lines between the fences, without the list's indentation.
        line (int): The line of its opening fence; the file's first is 1.
    """

    language: str
    code: str
    line: int


class Heading(NamedTuple):
    """A heading: its level (1 to 6), its words without Markdown's signs, and its first and last line, from 0."""

    level: int
    words: str
    begin: int
    end: int


def code_blocks(text: str, *languages: str) -> list[CodeBlock]:
    """The fenced blocks in these languages, or in any if none is named."""
    found = [
        CodeBlock(token.info.partition(' ')[0], token.content, token.map[0] + 1)
        for token in READER.parse(text)
        if token.type == 'fence' and token.map
    ]
    return [block for block in found if not languages or block.language in languages]


def headings(text: str) -> list[Heading]:
    """All headings, in the text's order."""
    return [heading for heading, _ in _headings(READER.parse(text))]


def titles(text: str) -> list[str]:
    """The headings of the second level."""
    return [heading.words for heading in headings(text) if heading.level == 2]


def section(text: str, words: str) -> str | None:
    """What follows the heading with these words, up to the next of its level or a higher one; None without it."""
    lines, all_of_them = text.splitlines(keepends=True), headings(text)
    for number, heading in enumerate(all_of_them):
        if heading.words == words:
            later = (next_one.begin for next_one in all_of_them[number + 1 :] if next_one.level <= heading.level)
            return ''.join(lines[heading.end : next(later, None)])
    return None


def to_html(text: str) -> str:
    """HTML of a text, whose headings have the anchors that GitHub gives them."""
    tokens, seen = READER.parse(text), dict[str, int]()
    for heading, token in _headings(tokens):
        slug = github_slug(heading.words)
        token.attrSet('id', f'{slug}-{seen[slug]}' if slug in seen else slug)
        seen[slug] = seen.get(slug, 0) + 1
    return str(READER.renderer.render(tokens, READER.options, {}))


def github_slug(heading: str) -> str:
    """The anchor that GitHub gives a heading with these words, if it is the first with them."""
    return re.sub(r'[^\w\- ]', '', heading.lower()).replace(' ', '-')


def outside_code(text: str, change: Callable[[str], str]) -> str:
    """Apply ``change`` to the parts of a text that are neither a fenced block nor code in a line."""
    lines, parts, end = text.splitlines(keepends=True), [], 0
    for token in READER.parse(text):
        if token.type == 'fence' and token.map:
            first, last = token.map
            parts += [_outside_spans(''.join(lines[end:first]), change), *lines[first:last]]
            end = last
    return ''.join([*parts, _outside_spans(''.join(lines[end:]), change)])


def _outside_spans(text: str, change: Callable[[str], str]) -> str:
    parts, end = [], 0
    for code in CODE_SPAN.finditer(text):
        parts += [change(text[end : code.start()]), code[0]]
        end = code.end()
    return ''.join([*parts, change(text[end:])])


def _headings(tokens: list[Token]) -> Iterator[tuple[Heading, Token]]:
    """The headings among the tokens, each with the token that opens it."""
    for token, content in pairwise(tokens):
        if token.type == 'heading_open' and token.map:
            words = ''.join(part.content for part in content.children or [] if part.type in ('text', 'code_inline'))
            yield Heading(int(token.tag[1:]), words, *token.map), token
