"""The page: its look, its controls, and what they call."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path

import gradio as gr
import numpy as np

from mmtranspose.app.explorer import DIRECTIONS, METHODS, Explorer
from mmtranspose.app.opened_image import open_image
from mmtranspose.app.session import Session, Settings
from mmtranspose.app.view import enlarged, render, unzoomed
from mmtranspose.errors import InputError
from mmtranspose.visualization.heat import OPACITY

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


KINDS = [*zip(('what it depends on', 'what depends on it'), DIRECTIONS), *zip(METHODS, METHODS)]


EXPLAIN, DRAW = 'explain', 'draw a box'


FIRST_HINT = 'Choose an image.'


HINTS = {
    EXPLAIN: 'Click a keypoint, or any place on a person.',
    DRAW: 'Click two opposite corners of a box around a person.',
}


SESSION_SECONDS = 3600  # that an image is kept after its last use


CACHE_SECONDS = (300, 1800)  # how often old files are deleted, and how old those are


class Page:
    """The page of one model.

    Args:
        explorer (Explorer): Finds and explains.
        title (str): The model's name.
        examples (Sequence[Path]): Images to choose from.

    Attributes:
        blocks (gr.Blocks): What gradio serves.
    """

    def __init__(self, explorer: Explorer, title: str, examples: Sequence[Path] = ()):
        self.explorer = explorer
        self.title = title
        self.examples = list(examples)
        self.first_click = DRAW if explorer.find_boxes is None else EXPLAIN
        with gr.Blocks(title='mmtranspose', analytics_enabled=False, delete_cache=CACHE_SECONDS) as self.blocks:
            self._lay_out()
            self._connect()
        self.blocks.queue(max_size=64, default_concurrency_limit=1, api_open=False)

    def _lay_out(self) -> None:
        self.session = gr.State(None, time_to_live=SESSION_SECONDS)
        _text(f'<h1>What a pose depends on</h1><p>{html.escape(self.title)}</p>', 'head')
        with gr.Row():
            with gr.Column(scale=3, min_width=320):
                self.upload = gr.File(show_label=False, file_types=['image'], height=132, elem_id='upload')
                self.picture = gr.Image(
                    interactive=False, show_label=False, buttons=['download', 'fullscreen'], elem_id='image'
                )
            with gr.Column(scale=2, min_width=300):
                self.facts = _text(_hint(FIRST_HINT), 'facts')
                self._lay_out_explanation()
                self._lay_out_thresholds()
                self.gallery = self._lay_out_examples()

    def _lay_out_explanation(self) -> None:
        layers = [str(layer + 1) for layer in range(self.explorer.num_layers)]
        heads = [str(head + 1) for head in range(self.explorer.num_heads)]
        with gr.Group():
            self.clicks = gr.Radio([EXPLAIN, DRAW], value=self.first_click, label='A click', elem_id='clicks')
            self.kind = gr.Dropdown(KINDS, value=DIRECTIONS[0], label='Show', elem_id='kind', filterable=False)
            self.layer = gr.Radio(layers, value=layers[-1], label='Layer', elem_id='layer')
            self.head = gr.Radio(
                ['mean', *heads], value='mean', label='Head', elem_id='attention-head', visible=len(heads) > 1
            )

    def _lay_out_thresholds(self) -> None:
        with gr.Accordion('Thresholds', open=False, elem_id='thresholds'):
            found = self.explorer.find_boxes is not None
            self.bbox_thr = gr.Slider(0.05, 1, 0.3, step=0.05, label='Box score', elem_id='bbox-thr', visible=found)
            self.kpt_thr = gr.Slider(0, 1, 0.3, step=0.05, label='Keypoint score', elem_id='kpt-thr')
            self.opacity = gr.Slider(0, 1, OPACITY, step=0.05, label='Opacity of the map', elem_id='opacity')
            self.threshold = gr.Slider(
                0, 0.95, 0, step=0.05, label='Hide weights up to this share of the highest', elem_id='threshold'
            )

    def _lay_out_examples(self) -> gr.Gallery | None:
        if not self.examples:
            return None
        thumbnails = [_thumbnail(open_image(str(path))) for path in self.examples]
        return gr.Gallery(
            thumbnails,
            show_label=False,
            columns=4,
            height='auto',
            object_fit='cover',
            allow_preview=False,
            interactive=False,
            buttons=[],
            elem_id='examples',
        )

    def _connect(self) -> None:
        shared = dict(concurrency_id='networks', concurrency_limit=1, api_visibility='private', show_progress='minimal')
        last = dict(shared, trigger_mode='always_last')  # by default what comes too soon is dropped
        view = [self.session, self.picture, self.facts]
        controls = [self.kind, self.layer, self.head, self.bbox_thr, self.kpt_thr, self.opacity, self.threshold]
        state = [self.session, self.clicks, *controls]
        self.upload.upload(self.open_upload, [self.upload, self.clicks, *controls], view, **last)
        self.picture.select(self.click, state, [*view, self.clicks], trigger_mode='multiple', **shared)
        gr.on([control.input for control in controls], self.refresh, state, view, **last)
        self.clicks.input(self.change_clicks, state, view, **last)
        if self.gallery is not None:
            self.gallery.select(self.open_example, [self.clicks, *controls], view, **last)

    def open_upload(self, path: str | None, clicks: str, *controls) -> tuple:
        """An image was uploaded."""
        return self._open(path, clicks, controls)

    def open_example(self, event: gr.SelectData, clicks: str, *controls) -> tuple:
        """An example was chosen."""
        return self._open(str(self.examples[event.index]), clicks, controls)

    def click(self, event: gr.SelectData, session: Session | None, clicks: str, *controls) -> tuple:
        """The image was clicked."""
        if session is None:
            return *_lost(), clicks
        settings, point, note = _settings(*controls), unzoomed(event.index, session.image), ''
        if clicks == DRAW:
            waiting = session.corner is not None
            if self.explorer.add_corner(session, point):
                clicks = EXPLAIN
            elif waiting:
                note = 'The two corners are too close to each other.'
        elif not self.explorer.click(session, point, settings):
            note = 'Nobody is there.'
        return *self._shown(session, clicks, settings, note), clicks

    def change_clicks(self, session: Session | None, clicks: str, *controls) -> tuple:
        """What a click means was changed."""
        if session is not None:
            session.corner = None
        return self.refresh(session, clicks, *controls)

    def refresh(self, session: Session | None, clicks: str, *controls) -> tuple:
        """A control was changed."""
        return _lost() if session is None else self._shown(session, clicks, _settings(*controls))

    def _open(self, path: str | None, clicks: str, controls: tuple) -> tuple:
        try:
            if path is None:
                raise InputError('no image was uploaded')
            session = self.explorer.start(open_image(path))
            return self._shown(session, clicks, _settings(*controls))
        except InputError as error:
            return None, None, _problem(str(error))

    def _shown(self, session: Session, clicks: str, settings: Settings, note: str = '') -> tuple:
        picture, facts = render(self.explorer, session, settings)
        hint = HINTS[clicks]
        if not session.shown(settings.bbox_thr) and clicks == EXPLAIN:
            hint = 'Nobody was found: lower the box score, or draw a box.'
        said = _problem(note) if note else _hint(hint)
        return session, np.ascontiguousarray(enlarged(picture)[..., ::-1]), said + _table(facts)


def _settings(kind: str, layer: str, head: str, *thresholds: float) -> Settings:
    return Settings(kind, int(layer) - 1, None if head == 'mean' else int(head) - 1, *thresholds)


def _thumbnail(image: np.ndarray) -> np.ndarray:
    step = max(1, max(image.shape[:2]) // 200)
    return np.ascontiguousarray(image[::step, ::step, ::-1])


def _lost() -> tuple:
    return None, None, _hint('The image is no longer held here; choose one.')


def _text(value: str, elem_id: str) -> gr.Markdown:
    """HTML (gradio's own field for it evaluates scripts, which the policy forbids)."""
    return gr.Markdown(value, elem_id=elem_id, latex_delimiters=[])


def _hint(text: str) -> str:
    return f'<p class="hint">{html.escape(text)}</p>'


def _problem(text: str) -> str:
    return f'<p class="problem" role="alert">{html.escape(text)}</p>'


def _table(facts: Sequence[tuple[str, str]]) -> str:
    rows = ''.join(f'<tr><th>{html.escape(name)}</th><td>{html.escape(value)}</td></tr>' for name, value in facts)
    return f'<table>{rows}</table>'
