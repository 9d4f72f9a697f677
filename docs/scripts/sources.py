"""Copy the pages of ``docs/`` for the site: links that leave ``docs/`` become links to the repository."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import markdown_pages
from markdown_pages import outside_code

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / 'docs'
REPOSITORY = 'https://github.com/OWNER/mmtranspose'

LINK = re.compile(r'(?<=\]\()(?!\w+:|#|//)([^()\s#]+)(#[^()\s]*)?(?=[)\s])')
INCLUDE = re.compile(r'^<!-- include: (?P<file>\S+) "(?P<heading>[^"]+)" -->$', re.MULTILINE)


def copy_sources(target: Path) -> None:
    """Copy pages and images into the folder ``target``, where only changed files are written."""
    for source in sorted(DOCS.rglob('*')):
        relative = source.relative_to(DOCS)
        if source.is_dir() or relative.parts[0] == 'scripts' or source.suffix in ('.ipynb', '.yml'):
            continue
        if source.suffix == '.md':
            write(target / relative, page(source))
        else:
            (target / relative).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / relative)


def page(source: Path) -> str:
    """The text of a page as the site has it."""
    text = source.read_text('utf-8')
    text = INCLUDE.sub(lambda found: section(ROOT / found['file'], found['heading'], source), text)
    return for_site(text, source)


def for_site(text: str, source: Path) -> str:
    """The Markdown text of a file with links as the site must write them."""
    return outside_code(text, lambda part: LINK.sub(lambda link: site_link(link, source), part))


def section(file: Path, heading: str, reader: Path) -> str:
    """The section of a Markdown file without its heading, with links as the page ``reader`` must write them."""
    found = markdown_pages.section(file.read_text('utf-8'), heading)
    if found is None:
        raise SystemExit(f'{reader} includes the section "{heading}" of {file}, which has none')

    def moved(link: re.Match[str]) -> str:
        return os.path.relpath(file.parent / link[1], reader.parent) + (link[2] or '')

    return outside_code(found.strip(), lambda part: LINK.sub(moved, part))


def site_link(link: re.Match[str], source: Path) -> str:
    """The address in the repository, where a link leads out of the pages; of a notebook, its page; else the link."""
    file = (source.parent / link[1]).resolve()
    if file.is_relative_to(DOCS) or not file.is_relative_to(ROOT) or not file.exists():
        return link[0].replace('.ipynb', '.md')
    kind = 'tree' if file.is_dir() else 'blob'
    return f'{REPOSITORY}/{kind}/main/{file.relative_to(ROOT).as_posix()}{link[2] or ""}'


def write(path: Path, text: str) -> None:
    """Write a file, unless it has this text already."""
    if not path.exists() or path.read_text('utf-8') != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, 'utf-8')
