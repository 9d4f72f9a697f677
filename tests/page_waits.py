"""Wait for something in a page of the browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page


def wait_until(page: Page, expression: str, argument: object = None, timeout_ms: int = 10_000) -> None:
    """Wait until a page's expression, or function of ``argument``, is true.

    ``page.wait_for_function`` evaluates the text anew in the page, where a content security policy can forbid it.
    """
    for _ in range(timeout_ms // 50):
        if page.evaluate(expression, argument):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f'not true within {timeout_ms} ms: {expression}')
