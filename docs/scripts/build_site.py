"""Build the documentation's site into build/site, strictly; or serve it while its pages are written."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import yaml
from api_pages import ApiPage, api_pages, undocumented
from command_pages import command_pages
from links import broken_external, broken_links, loaded_from_elsewhere, markdown_files, read_page
from sources import DOCS, ROOT, copy_sources, write

BUILD = ROOT / 'build'
PAGES, SITE, CONFIG = BUILD / 'docs', BUILD / 'site', BUILD / 'mkdocs.yml'
KEPT = ('notebooks',)  # serving does not run them again


def main() -> None:
    """Run ``build_site.py`` with this process's arguments."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--links', choices=['internal', 'external'], default='internal', help='which links to check')
    parser.add_argument('--serve', action='store_true', help='serve the pages on 127.0.0.1, and follow changes')
    parser.add_argument('--port', type=int, default=8000)
    args = parser.parse_args()
    if not args.serve:
        shutil.rmtree(PAGES, ignore_errors=True)
    pages = assemble(run_notebooks=not args.serve)
    zensical = [sys.executable, '-m', 'zensical']
    if args.serve:
        threading.Thread(target=follow, daemon=True).start()
        with contextlib.suppress(KeyboardInterrupt):
            subprocess.run([*zensical, 'serve', '-f', str(CONFIG), '-a', f'127.0.0.1:{args.port}'], check=False)
        return
    shutil.rmtree(SITE, ignore_errors=True)
    if subprocess.run([*zensical, 'build', '--strict', '--clean', '-f', str(CONFIG)], check=False).returncode:
        raise SystemExit('zensical refuses the pages: see above')
    write_offline_search()
    stop_at('problem', problems(pages, args.links))
    print(f'{SITE.relative_to(ROOT)}: {len(list(SITE.rglob("*.html")))} pages; open index.html or run make docs-serve')


def assemble(run_notebooks: bool) -> list[ApiPage]:
    """Write all pages and the configuration of the site; returns the pages of the Python API."""
    from notebook_pages import notebook_pages  # of requirements/docs.txt, which the tests do without

    copy_sources(PAGES)
    notebook_pages(PAGES, run_notebooks)
    for name, text in command_pages().items():
        write(PAGES / 'reference' / 'commands' / name, text)
    pages = api_pages()
    stop_at('public name without a docstring', undocumented(pages))
    for page in pages:
        write(PAGES / 'reference' / 'api' / page.file, page.markdown())
    write_config([name for page in pages for name in page.names])
    return pages


def write_config(names: list[str]) -> None:
    """Write the site's configuration: ``docs/mkdocs.yml`` with files for its patterns, paths and public names."""
    config = yaml.safe_load((DOCS / 'mkdocs.yml').read_text('utf-8'))
    listed: list[str] = []
    config['nav'] = expanded(config['nav'], listed)
    found = {path.relative_to(PAGES).as_posix() for path in PAGES.rglob('*.md')}
    stop_at('page that the navigation of docs/mkdocs.yml lacks', sorted(found - set(listed)))
    config.update(docs_dir=PAGES.name, site_dir=SITE.name)
    python = config['plugins'][-1]['mkdocstrings']['handlers']['python']
    python['paths'] = [str(ROOT)]
    python['options']['extensions'] = [{str(DOCS / 'scripts' / 'sphinx_roles.py'): {'names': names}}]
    write(CONFIG, yaml.safe_dump(config, sort_keys=False))


def write_offline_search() -> None:
    """Write the files that ``docs/offline_search.js`` and the theme load where a browser must not read JSON or start
    programs: where the site is opened from files.
    """
    write(SITE / 'search.js', f'var __index = {(SITE / "search.json").read_text("utf-8")}')
    (worker,) = (SITE / 'assets' / 'javascripts' / 'workers').glob('search.*.min.js')
    write(worker.with_name(f'{worker.name}.text.js'), f'window.workerText = {json.dumps(worker.read_text("utf-8"))}')


def expanded(nav: list[Any], listed: list[str]) -> list[Any]:
    """The navigation with files in place of patterns; ``listed`` gets them all. A pattern may have no file."""
    entries: list[Any] = []
    for entry in nav:
        title, target = next(iter(entry.items())) if isinstance(entry, dict) else (None, entry)
        if isinstance(target, list):
            below = expanded(target, listed)
            entries += [{title: below}] if below else []
            continue
        files = sorted(path.relative_to(PAGES).as_posix() for path in PAGES.glob(target)) if '*' in target else [target]
        files = [file for file in files if file not in listed]
        listed += files
        entries += [{title: file} if title else file for file in files]
    return entries


def problems(pages: list[ApiPage], links: str) -> list[str]:
    """What is wrong with the built site and with the links of the Markdown files in the repository."""
    html = sorted(set(SITE.rglob('*.html')) - {SITE / '404.html'})  # whose links begin at the host's root
    texts = markdown_files()
    found = [*broken_links([*html, *texts]), *loaded_from_elsewhere(SITE)]
    for page in pages:
        anchors = read_page(SITE / 'reference' / 'api' / page.file.replace('.md', '.html')).anchors
        found += [f'{page.file} lacks {name}' for name in page.names if name not in anchors]
    return found + (broken_external([*html, *texts]) if links == 'external' else [])


def stop_at(kind: str, found: list[str]) -> None:
    """End the build if something was found."""
    if found:
        print(*(f'{kind}: {one}'.replace(f'{ROOT}{os.sep}', '') for one in found), sep='\n', file=sys.stderr)
        raise SystemExit(1)


def follow() -> None:
    """Copy pages again when they change; zensical then builds and shows them."""
    before: dict[Path, float] = {}
    while True:
        try:
            now = {path: path.stat().st_mtime for path in DOCS.rglob('*') if path.is_file()}
            if before and now != before:
                copy_sources(PAGES)
            before = now
        except (OSError, SystemExit) as error:  # an editor's file that is gone again; a half-written page
            print(error, file=sys.stderr)
        time.sleep(1)


if __name__ == '__main__':
    main()
