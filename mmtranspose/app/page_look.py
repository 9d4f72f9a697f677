"""How the page looks: its style sheet, its fonts, and the HTML of its texts. Needs no gradio."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path

from mmtranspose.app.painted_view import Move
from mmtranspose.visualization.heat import COLOURS

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
#facts .scale { display: flex; align-items: center; gap: 0.5rem; margin: 0.5rem 0 0; }
#facts .scale .bar { flex: 1; height: 0.75rem; border-radius: 3px; background: linear-gradient(to right, BAR); }
#facts table + .hint { margin: 0.5rem 0 0; }
#facts .moves { max-height: 21rem; overflow-y: scroll; margin-top: 0.25rem; }
#facts .moves::-webkit-scrollbar { width: 0.6rem; }
#facts .moves::-webkit-scrollbar-thumb { background: var(--quiet); border-radius: 0.3rem; }
#facts .moves thead th { position: sticky; top: 0; background: var(--background-fill-primary); width: auto; }
#facts .moves td + td, #facts .moves th + th { text-align: right; width: 4rem; white-space: nowrap; }
#facts .moves td { word-break: normal; overflow-wrap: normal; }
#facts .moves td:last-child, #facts .moves th:last-child { padding-right: 0.5rem; }
@media (max-width: 600px) { #facts .moves { max-height: 13rem; } #facts { min-height: 0; } }
#facts .moves tr.quiet td { color: var(--quiet); }
#facts .moves tr.furthest td { color: #b91c1c; font-weight: 600; }
.dark #facts .moves tr.furthest td { color: #fca5a5; }
#examples .grid-wrap { min-height: 0; max-height: none; padding: 0; overflow-x: auto; }
#examples .grid-container { display: flex; gap: 0.4rem; padding: 0; }
#examples .grid-container > * { flex: 0 0 auto; width: auto; }
#examples .thumbnail-lg { flex: 0 0 4.5rem; width: 4.5rem; height: 4.5rem; aspect-ratio: 1; }
#image { position: relative; }
#brush-canvas { position: absolute; z-index: 5; cursor: none; touch-action: none; }
#brush-canvas[hidden] { display: none; }
#brush-canvas:focus-visible { outline: 2px solid #ec4899; }
#stroke { display: none !important; }
#facts .answered { display: none; }
""".replace('BAR', ', '.join(f'rgb({red:.0f} {green:.0f} {blue:.0f})' for blue, green, red in COLOURS[::15]))
SCRIPTS = ('brush.js', 'dropped_files.js', 'keypoint_field.js')


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


def answered(image: str, number: int) -> str:
    """What the brush reads, out of sight: the id of the image, and the number of the last stroke that was answered."""
    return f'<p class="answered">{html.escape(image)} {number}</p>'


def fact_table(facts: Sequence[tuple[str, str]]) -> str:
    """A table of facts, given as pairs of name and value."""
    rows = ''.join(f'<tr><th>{html.escape(name)}</th><td>{html.escape(value)}</td></tr>' for name, value in facts)
    return f'<table>{rows}</table>'


def scale(top: float) -> str:
    """The bar of the map's colours, from 0 to the highest weight."""
    return f'<p class="scale"><span>0</span><span class="bar"></span><span>{top:.3g}</span></p>'


def move_table(moves: Sequence[Move]) -> str:
    """A table of how far keypoints moved; the certain one that moved furthest is marked, uncertain ones are pale."""
    rows = ''.join(_move_row(move) for move in moves)
    heads = '<tr><th>keypoint</th><th>moved, px</th><th>score</th><th>after</th></tr>'
    if not moves:
        return ''
    words = hint(f'All {len(moves)} keypoints, by how far they moved; pale: uncertain before. Scroll to see the rest.')
    table = f'<table><thead>{heads}</thead><tbody>{rows}</tbody></table>'
    return f'{words}<div class="moves" tabindex="0" role="region" aria-label="movements">{table}</div>'


def _move_row(move: Move) -> str:
    kind = 'furthest' if move.furthest else 'quiet' if not move.certain else ''
    mark = ' ◀ furthest certain' if move.furthest else ''
    values = (f'{move.name}{mark}', f'{move.pixels:.1f}', f'{move.before:.2f}', f'{move.after:.2f}')
    return f'<tr class="{kind}">' + ''.join(f'<td>{html.escape(value)}</td>' for value in values) + '</tr>'


def page_scripts() -> str:
    """The page's own programs, for its head."""
    sources = (Path(__file__).with_name(name).read_text(encoding='utf-8') for name in SCRIPTS)
    return ''.join(f'<script>{source}</script>' for source in sources)
