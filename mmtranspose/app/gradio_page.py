"""The page in gradio: its controls, and what happens when they are used. Imported only where gradio is installed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import gradio as gr
import numpy as np

from mmtranspose.app.explorer import Explorer
from mmtranspose.app.offer import DIRECTIONS
from mmtranspose.app.opened_image import open_image
from mmtranspose.app.page_look import fact_table, headline, hint, problem
from mmtranspose.app.session import Session, Settings
from mmtranspose.app.view import enlarged, render, unzoomed
from mmtranspose.errors import InputError
from mmtranspose.visualization.heat import OPACITY

TITLES = dict(zip(DIRECTIONS, ('what it depends on', 'what depends on it')))  # of kinds; methods have their names
EXPLAIN, DRAW = 'explain', 'draw a box'
FIRST_HINTS = {True: 'Upload an image, or choose one of the examples.', False: 'Upload an image.'}
DRAW_HINT = 'Click two opposite corners of a box around a person.'
SESSION_SECONDS = 3600  # how long an image is kept after its last use
CACHE_SECONDS = (300, 1800)  # how often old files are deleted, and how old those are

View: TypeAlias = tuple[Session | None, np.ndarray | None, str]  # the session, the image (h, w, 3), RGB, the texts


class Page:
    """The page of one model.

    Args:
        explorer (Explorer): Finds and explains people.
        title (str): The model's name.
        examples (Sequence[Path]): Images to choose from.

    Attributes:
        blocks (gr.Blocks): The page, for gradio to serve.
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
        _text(headline(self.title, explains=bool(self.explorer.offer.kinds)), 'head')
        with gr.Row():
            with gr.Column(scale=3, min_width=320):
                self.upload = gr.File(show_label=False, file_types=['image'], height=132, elem_id='upload')
                self.image = gr.Image(
                    interactive=False, show_label=False, buttons=['download', 'fullscreen'], elem_id='image'
                )
            with gr.Column(scale=2, min_width=300):
                self.facts = _text(hint(FIRST_HINTS[bool(self.examples)]), 'facts')
                self._lay_out_explanation()
                self._lay_out_thresholds()
                self.gallery = self._lay_out_examples()

    def _lay_out_explanation(self) -> None:
        offer = self.explorer.offer
        layers = [str(layer + 1) for layer in range(offer.num_layers)]
        heads = ['mean', *(str(head + 1) for head in range(offer.num_heads or 0))]
        kinds = [(TITLES.get(kind, kind), kind) for kind in offer.kinds or DIRECTIONS[:1]]
        clicks = [(EXPLAIN if offer.kinds else 'choose a keypoint', EXPLAIN), (DRAW, DRAW)]
        with gr.Group():
            self.clicks = gr.Radio(clicks, value=self.first_click, label='A click', elem_id='clicks')
            self.kind = gr.Dropdown(
                kinds, value=DIRECTIONS[0], label='Show', elem_id='kind', filterable=False, visible=len(kinds) > 1
            )
            self.layer = gr.Radio(
                layers, value=layers[-1], label='Layer', elem_id='layer', visible=bool(offer.kinds) and len(layers) > 1
            )
            self.head = gr.Radio(heads, value='mean', label='Head', elem_id='attention-head', visible=len(heads) > 2)

    def _lay_out_thresholds(self) -> None:
        with gr.Accordion('Thresholds', open=False, elem_id='thresholds'):
            found, maps = self.explorer.find_boxes is not None, bool(self.explorer.offer.kinds)
            self.bbox_thr = gr.Slider(0.05, 1, 0.3, step=0.05, label='Box score', elem_id='bbox-thr', visible=found)
            self.kpt_thr = gr.Slider(0, 1, 0.3, step=0.05, label='Keypoint score', elem_id='kpt-thr')
            self.opacity = gr.Slider(
                0, 1, OPACITY, step=0.05, label='Opacity of the map', elem_id='opacity', visible=maps
            )
            self.threshold = gr.Slider(
                0,
                0.95,
                0,
                step=0.05,
                label='Hide weights up to this share of the highest',
                elem_id='threshold',
                visible=maps,
            )

    def _lay_out_examples(self) -> gr.Gallery | None:
        if not self.examples:
            return None
        thumbnails = [_thumbnail(open_image(path)) for path in self.examples]
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
        last = dict(shared, trigger_mode='always_last')  # by default, events that come too soon are dropped
        view = [self.session, self.image, self.facts]
        controls = [self.kind, self.layer, self.head, self.bbox_thr, self.kpt_thr, self.opacity, self.threshold]
        state = [self.session, self.clicks, *controls]
        self.upload.upload(self.open_upload, [self.upload, self.clicks, *controls], view, **last)
        self.image.select(self.click, state, [*view, self.clicks], trigger_mode='multiple', **shared)
        gr.on([control.input for control in controls], self.refresh, state, view, **last)
        self.clicks.input(self.change_clicks, state, view, **last)
        if self.gallery is not None:
            self.gallery.select(self.open_example, [self.clicks, *controls], view, **last)

    def open_upload(self, path: str | None, clicks: str, *controls: Any) -> View:
        """Open the image that was uploaded."""
        return self._open(path, clicks, controls)

    def open_example(self, event: gr.SelectData, clicks: str, *controls: Any) -> View:
        """Open the example that was chosen."""
        return self._open(self.examples[event.index], clicks, controls)

    def click(
        self, event: gr.SelectData, session: Session | None, clicks: str, *controls: Any
    ) -> tuple[Session | None, np.ndarray | None, str, str]:
        """Explain what was clicked in the image, or take the click as a corner of a box."""
        if session is None:
            return *_lost(), clicks
        settings, point, note = _settings(*controls), unzoomed(event.index, session.image), ''
        if clicks == DRAW:
            second = session.corner is not None
            if self.explorer.add_corner(session, point):
                clicks = EXPLAIN
            elif second:
                note = 'The two corners are too close to each other.'
        else:
            note = self.explorer.click(session, point, settings)
        return *self._shown(session, clicks, settings, note), clicks

    def change_clicks(self, session: Session | None, clicks: str, *controls: Any) -> View:
        """Change what a click means; a first corner is forgotten."""
        if session is not None:
            session.corner = None
        return self.refresh(session, clicks, *controls)

    def refresh(self, session: Session | None, clicks: str, *controls: Any) -> View:
        """Show the image anew after a control was changed."""
        return _lost() if session is None else self._shown(session, clicks, _settings(*controls))

    def _open(self, path: str | Path | None, clicks: str, controls: tuple[Any, ...]) -> View:
        try:
            if path is None:
                raise InputError('no image was uploaded')
            session = self.explorer.start(open_image(path))
            return self._shown(session, clicks, _settings(*controls))
        except InputError as error:
            return None, None, problem(str(error))

    def _shown(self, session: Session, clicks: str, settings: Settings, note: str = '') -> View:
        image, facts = render(self.explorer, session, settings)
        advice = DRAW_HINT if clicks == DRAW else self._explain_hint()
        if not session.shown(settings.bbox_thr) and clicks == EXPLAIN:
            advice = 'Nobody was found: lower the box score, or draw a box.'
        text = problem(note) if note else hint(advice)
        return session, np.ascontiguousarray(enlarged(image)[..., ::-1]), text + fact_table(facts)

    def _explain_hint(self) -> str:
        offer = self.explorer.offer
        if offer.places:
            return 'Click a keypoint, or any place on a person.'
        return 'Click a keypoint.' if offer.kinds else f'Click a keypoint for its name and score. {offer.lack}'


def _settings(kind: str, layer: str, head: str, *thresholds: float) -> Settings:
    return Settings(kind, int(layer) - 1, None if head == 'mean' else int(head) - 1, *thresholds)


def _thumbnail(image: np.ndarray) -> np.ndarray:
    step = max(1, max(image.shape[:2]) // 200)
    return np.ascontiguousarray(image[::step, ::step, ::-1])


def _lost() -> View:
    return None, None, hint('The image is no longer kept on the server; choose one.')


def _text(value: str, elem_id: str) -> gr.Markdown:
    """HTML (gradio's own field for it evaluates scripts, which the content security policy forbids)."""
    return gr.Markdown(value, elem_id=elem_id, latex_delimiters=[])
