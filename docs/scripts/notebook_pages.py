"""Run the notebooks of ``docs/notebooks`` and make pages of them, with what they print and draw."""

from __future__ import annotations

import os
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbconvert import MarkdownExporter
from sources import DOCS, REPOSITORY, ROOT, for_site, write
from traitlets.config import Config

WORK = ROOT / 'build' / 'notebooks'  # where they run
LIMIT = 300  # seconds for one cell; a notebook is to take less than 60 on 2 cores


def notebook_pages(target: Path, run: bool = True) -> None:
    """Write a page, and its images, for each notebook below ``target``.

    Args:
        target (Path): The folder of the site's pages.
        run (bool): Run the notebooks again whose pages are there.

    Raises:
        nbclient.exceptions.CellExecutionError: A cell fails.
    """
    os.environ['PYTHONPATH'] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get('PYTHONPATH', '')]))
    for source in sorted((DOCS / 'notebooks').glob('*.ipynb')):
        page = target / 'notebooks' / f'{source.stem}.md'
        if run or not page.exists():
            started = time.monotonic()
            write_page(source, page)
            print(f'{source.relative_to(ROOT)}: {time.monotonic() - started:.0f} s', flush=True)


def write_page(source: Path, page: Path) -> None:
    """Run one notebook and write its page."""
    notebook = nbformat.read(source, as_version=4)
    work = WORK / source.stem
    work.mkdir(parents=True, exist_ok=True)
    NotebookClient(
        notebook,
        timeout=LIMIT,
        kernel_name='python3',
        resources={'metadata': {'path': str(work)}},
        extra_arguments=['--log-level=ERROR'],
    ).execute()
    exporter = MarkdownExporter(
        config=Config(
            ExtractOutputPreprocessor={'enabled': True},
            NbConvertBase={'display_data_priority': ['image/png', 'image/jpeg', 'text/markdown', 'text/plain']},
        )
    )
    text, resources = exporter.from_notebook_node(
        notebook, {'unique_key': page.stem, 'output_files_dir': f'{page.stem}_files'}
    )
    for name, content in resources['outputs'].items():
        image = page.parent / name
        image.parent.mkdir(parents=True, exist_ok=True)
        image.write_bytes(content)
    text = for_site(text, source).replace('![png]', '![What the code above draws]')
    title, _, rest = text.lstrip().partition('\n')
    link = f'{REPOSITORY}/blob/main/{source.relative_to(ROOT).as_posix()}'
    write(page, f'{title}\n\nThis page is [a notebook]({link}), run when this site was built.\n{rest}')
