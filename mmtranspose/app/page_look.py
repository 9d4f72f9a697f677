"""How the page looks: its style sheet, its fonts, and the HTML of its texts. Needs no gradio."""

from __future__ import annotations

import html
from collections.abc import Sequence

FONTS = ('system-ui', 'sans-serif')
FIXED_FONTS = ('ui-monospace', 'monospace')
CSS = """
.gradio-container { max-width: 1320px !important; --quiet: #52525b; }
.dark .gradio-container, .gradio-container.dark { --quiet: #b4b4bd; }
#head h1 { font-size: 1.5rem; font-weight: 650; margin: 0; }
#head p { margin: 0.1rem 0 0; color: var(--quiet); }
#upload .wrap { line-height: 1.35; font-size: 0.9rem; }
#image .image-frame { width: 100%; }
#image img { cursor: crosshair; width: 100%; height: auto; max-height: 72vh; object-fit: scale-down; }
#facts { min-height: 9.5rem; }
#facts p { margin: 0 0 0.5rem; }
#facts .hint { color: var(--quiet); }
#facts .problem { color: #b91c1c; font-weight: 600; }
.dark #facts .problem { color: #fca5a5; }
#facts table { border-collapse: collapse; border: 0; width: 100%; margin: 0; font-variant-numeric: tabular-nums; }
#facts tr { background: none; border: 0; }
#facts th, #facts td { text-align: left; padding: 0.15rem 0.75rem 0.15rem 0; border: 0; vertical-align: top; }
#facts th { font-weight: 400; color: var(--quiet); white-space: nowrap; width: 8rem; }
#examples .grid-wrap { min-height: 0; max-height: none; }
"""


def headline(title: str, explains: bool = True) -> str:
    """The page's heading, with the model's name below it; without ``explains`` there are only poses."""
    heading = 'What a pose depends on' if explains else 'Poses of the people in an image'
    return f'<h1>{heading}</h1><p>{html.escape(title)}</p>'


def hint(text: str) -> str:
    """A paragraph that says what to do next."""
    return f'<p class="hint">{html.escape(text)}</p>'


def problem(text: str) -> str:
    """A paragraph that says what went wrong; screen readers read it at once."""
    return f'<p class="problem" role="alert">{html.escape(text)}</p>'


def fact_table(facts: Sequence[tuple[str, str]]) -> str:
    """A table of facts, given as pairs of name and value."""
    rows = ''.join(f'<tr><th>{html.escape(name)}</th><td>{html.escape(value)}</td></tr>' for name, value in facts)
    return f'<table>{rows}</table>'
