"""Check links: of the built site, and of the Markdown files as they stand in the repository."""

from __future__ import annotations

import re
import sys
import urllib.error
import urllib.request
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from markdown_pages import to_html
from sources import DOCS, REPOSITORY, ROOT

LOADED = {('script', 'src'), ('img', 'src'), ('iframe', 'src'), ('source', 'src'), ('video', 'src'), ('link', 'href')}
CSS_ADDRESS = re.compile(r'(?:url\(|@import)\s*["\']?(?:https?:)?//', re.IGNORECASE)
IN_REPOSITORY = re.compile(re.escape(REPOSITORY) + r'/(?:blob|tree)/main/([^#]+)')


class Page(HTMLParser):
    """The anchors of a page, the addresses it links to, and those of them that a browser loads with it."""

    def __init__(self, html: str):
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take the anchor and the addresses of an element."""
        found = {name: value for name, value in attrs if value is not None}
        self.anchors |= {found[name] for name in ('id', 'name') if name in found}
        self.links += [found[name] for name in ('href', 'src') if name in found and tag != 'use']
        if found.get('rel') not in ('canonical', 'alternate', 'prev', 'next'):
            self.loaded += [found[name] for name in ('href', 'src') if name in found and (tag, name) in LOADED]


@cache
def read_page(path: Path) -> Page:
    """Read an HTML file, or a Markdown file as GitHub shows it."""
    text = path.read_text('utf-8')
    return Page(to_html(text) if path.suffix == '.md' else text)


def markdown_files() -> list[Path]:
    """The Markdown files of the repository, as GitHub shows them."""
    folders = (DOCS, *(ROOT / name for name in ('.github', 'configs', 'examples', 'upstream')))
    return sorted([*ROOT.glob('*.md'), *(path for folder in folders for path in folder.rglob('*.md'))])


def broken_links(files: Iterable[Path]) -> list[str]:
    """Links between files whose file or anchor is missing, and addresses in the repository whose file is missing."""
    problems = []
    for path in files:
        for link in read_page(path).links:
            ours = IN_REPOSITORY.fullmatch(link)
            parts = urlsplit(link)
            if ours or not (parts.scheme or parts.netloc):
                target = ROOT / ours[1] if ours else target_of(path, parts.path)
                anchor = unquote(parts.fragment)
                if not target.exists():
                    problems.append(f'{path}: {link} leads to a file that is not there')
                elif anchor and target.suffix in ('.html', '.md') and anchor not in anchors_of(target):
                    problems.append(f'{path}: {link} leads to an anchor that is not there')
    return problems


def target_of(path: Path, link: str) -> Path:
    """The file that a link of a file leads to."""
    if not link:
        return path
    target = (path.parent / unquote(link)).resolve()
    return target / 'index.html' if target.is_dir() and path.suffix == '.html' else target


def anchors_of(path: Path) -> set[str]:
    """The anchors of a page; the theme makes __-anchors when the page is shown."""
    return {'__tabbed', '__search', *read_page(path).anchors}


def loaded_from_elsewhere(site: Path) -> list[str]:
    """Files of other hosts that pages of the site load, where the site must work without a network."""
    pages = (
        f'{path}: loads {link}'
        for path in sorted(site.rglob('*.html'))
        for link in read_page(path).loaded
        if urlsplit(link).netloc
    )
    styles = (
        f'{path}: loads from another host'
        for path in site.rglob('*.css')
        if CSS_ADDRESS.search(path.read_text('utf-8'))
    )
    return [*pages, *styles]


def broken_external(files: Iterable[Path]) -> list[str]:
    """Addresses of other hosts that do not answer, or answer with an error."""
    found = {link.partition('#')[0]: path for path in files for link in read_page(path).links}
    links = [link for link in found if link.startswith('http') and not link.startswith(REPOSITORY)]
    with ThreadPoolExecutor(8) as pool:
        return [f'{found[link]}: {link}: {told}' for link, told in zip(links, pool.map(problem_of, links)) if told]


def problem_of(address: str) -> str:
    """Why an address cannot be read; nothing if it can."""
    request = urllib.request.Request(address, headers={'User-Agent': 'Mozilla/5.0 (mmtranspose link check)'})
    try:
        with urllib.request.urlopen(request, timeout=20):
            return ''
    except (OSError, ValueError) as error:  # URLError and HTTPError are OSErrors
        return str(error)


if __name__ == '__main__':
    sys.exit('\n'.join(broken_links(markdown_files())) or None)
