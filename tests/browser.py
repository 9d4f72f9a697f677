"""Pages in headless Chromium. A test module takes the fixtures with ``pytest_plugins = ['browser']``."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

NAMES = ('chromium', 'chromium-browser', 'google-chrome')
OPTIONS = (
    *('--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'),
    *('--disable-background-networking', '--disable-component-update', '--disable-sync'),
)


def find_chromium() -> str | None:
    """The executable that ``MMTRANSPOSE_CHROMIUM`` names, or the first of Chromium's and Chrome's names on the PATH."""
    named = os.environ.get('MMTRANSPOSE_CHROMIUM')
    return named or next((path for path in map(shutil.which, NAMES) if path), None)


@pytest.fixture(scope='module')
def browser() -> Iterator[Browser]:
    """Chromium without a window. It ends with the module: while it lives, nothing else can run an asyncio loop."""
    api = pytest.importorskip('playwright.sync_api', reason='playwright is not installed (requirements/dev.txt)')
    executable = find_chromium()
    if executable is None:
        pytest.skip('there is no Chromium: install it, or name its executable in MMTRANSPOSE_CHROMIUM')
    with api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable, args=list(OPTIONS))
        yield chromium
        chromium.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """``open_page(path, fragment='', **options)`` opens a file; options are those of playwright's ``new_context``.

    When the test is over, the pages must have asked for nothing but themselves, and complained of nothing.
    """
    contexts, allowed, requests, complaints = [], [], [], []

    def open_file(path: Path, fragment: str = '', **options) -> Page:
        contexts.append(browser.new_context(**options))
        page = contexts[-1].new_page()
        page.set_default_timeout(10_000)
        page.on('request', lambda request: requests.append(request.url))
        page.on('pageerror', lambda error: complaints.append(str(error)))
        page.on('console', lambda message: complaints.append(message.text))
        allowed.append(path.as_uri())
        page.goto(allowed[-1] + (f'#{fragment}' if fragment else ''))
        return page

    yield open_file
    for context in contexts:
        context.close()
    assert [url for url in requests if url not in allowed and not url.startswith('data:')] == []
    assert complaints == []
