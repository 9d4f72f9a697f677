"""The page in gradio: its controls, and what happens when they are used. Imported only where gradio is installed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import gradio as gr
import numpy as np

from mmtranspose.app.brush import paint, reset, undo
from mmtranspose.app.brush_controls import BrushControls, KeypointList, listed_choice
from mmtranspose.app.explorer import Explorer
from mmtranspose.app.offer import DIRECTIONS
from mmtranspose.app.opened_image import open_image
from mmtranspose.app.page_look import answered, fact_table, headline, hint, move_table, problem, scale
from mmtranspose.app.painted_view import render_painted
from mmtranspose.app.session import BOTH, Session, Settings
from mmtranspose.app.view import enlarged, method_title, render, shown_top, unzoomed
from mmtranspose.errors import InputError
from mmtranspose.results.low_scores import LowScores
from mmtranspose.visualization.heat import OPACITY

TITLES = dict(zip(DIRECTIONS, ('what it depends on', 'what depends on it')))  # of kinds; methods have their names
EXPLAIN, DRAW, PAINT = 'explain', 'draw a box', 'paint'
FIRST_HINTS = {True: 'Upload an image, or choose one of the examples.', False: 'Upload an image.'}
DRAW_HINT = 'Click two opposite corners of a box around a person.'
PAINT_HINT = 'Paint over a place of a person, and see the pose move.'
PAINTED_HINT = 'Rings: where keypoints were. Arrows: where they went, the longest one in red.'
STILL_HINT = 'No certain keypoint moved far enough for an arrow; the table has every movement.'
ALONE_HINT = 'One of the two poses; with both, rings and arrows show how keypoints moved.'
# By whether there is a detector, and so a threshold of its boxes
HIDDEN_HINTS = {
    True: 'The painted person is hidden, or the paint lies in no box: lower the box score, or choose a person.',
    False: 'The paint lies in no box: paint in one, draw one around a person, or choose a person.',
}
NOBODY_HINTS = {True: 'Nobody was found: lower the box score, or draw a box.', False: 'There is no box yet: draw one.'}
LOW_SCORES_CURE = (
    'is the whole person, head to feet, inside the box? If not, the pose is probably wrong: draw a box around the '
    'whole person, or open an image that shows it.'
)
LOST = 'The image is no longer kept on the server; choose one.'
SESSION_SECONDS = 3600  # how long an image is kept after its last use
CACHE_SECONDS = (300, 1800)  # how often old files are deleted, and how old those are

# The session, the image (h, w, 3), RGB, the texts, and updates of the lists of people and keypoints.
View: TypeAlias = tuple[Session | None, np.ndarray | None, str, dict[str, Any], dict[str, Any]]


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
        self.blocks.progress_tracking = True  # gradio asks only handlers with a parameter of this kind
        self.explorer.on_progress = lambda share: gr.Progress()(share, desc='token ablation')
        self.blocks.queue(max_size=64, default_concurrency_limit=1, api_open=False)

    def _lay_out(self) -> None:
        self.session = gr.State(None, time_to_live=SESSION_SECONDS)
        _text(headline(self.title, explains=bool(self.explorer.offer.kinds)), 'head')
        with gr.Row():
            with gr.Column(scale=3, min_width=320):
                self.upload = gr.File(show_label=False, file_types=['image'], height=132, elem_id='upload')
                self.gallery = self._lay_out_examples()
                self.image = gr.Image(
                    interactive=False, show_label=False, buttons=['download', 'fullscreen'], elem_id='image'
                )
            with gr.Column(scale=2, min_width=300):
                self.facts = _text(hint(FIRST_HINTS[bool(self.examples)]), 'facts')
                self._lay_out_clicks()
                self._lay_out_explanation()
                self.brush = BrushControls(self.explorer)
                self._lay_out_thresholds()

    def _lay_out_clicks(self) -> None:
        explain = EXPLAIN if self.explorer.offer.kinds else 'choose a keypoint'
        clicks = [(explain, EXPLAIN), (DRAW, DRAW), (PAINT, PAINT)]
        with gr.Group():
            self.clicks = gr.Radio(clicks, value=self.first_click, label='A click', elem_id='clicks')
            self.list = KeypointList(self.explorer)

    def _lay_out_explanation(self) -> None:
        offer = self.explorer.offer
        layers = [str(layer + 1) for layer in range(offer.num_layers)]
        heads = ['mean', *(str(head + 1) for head in range(offer.num_heads or 0))]
        kinds = [
            (TITLES.get(kind) or method_title(self.explorer, kind), kind) for kind in offer.kinds or DIRECTIONS[:1]
        ]
        with gr.Column() as self.explanation, gr.Group():
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
            columns=24,
            height='auto',
            object_fit='cover',
            allow_preview=False,
            interactive=False,
            buttons=[],
            elem_id='examples',
        )

    def _connect(self) -> None:
        # The bar of a long computation stands over the facts, so that the image stays in sight.
        shown = dict(show_progress='full', show_progress_on=self.facts)
        shared = dict(concurrency_id='networks', concurrency_limit=1, api_visibility='private', **shown)
        last = dict(shared, trigger_mode='always_last')  # by default, events that come too soon are dropped
        each = dict(shared, trigger_mode='multiple')
        brush = self.brush
        view = [self.session, self.image, self.facts, self.list.person, self.list.keypoint]
        thresholds = [self.bbox_thr, self.kpt_thr, self.opacity, self.threshold]
        controls = [self.kind, self.layer, self.head, *thresholds, brush.replacement, brush.compared]
        state = [self.session, self.clicks, *controls]
        opened = [*view, self.clicks, self.upload]
        self.upload.upload(self.open_upload, [self.upload, self.clicks, *controls], opened, **last)
        self.image.select(self.click, state, [*view, self.clicks], **each)
        gr.on([control.input for control in controls], self.refresh, state, view, **last)
        self.clicks.input(self.change_clicks, state, [*view, self.explanation, brush.group], **last)
        lists = [self.list.person, self.list.keypoint]
        gr.on([one.input for one in lists], self.choose, [self.session, *lists, self.clicks, *controls], view, **last)
        brush.stroke.submit(self.paint, [self.session, brush.stroke, self.clicks, *controls], view, **each)
        brush.undo.click(self.undo, state, view, **each)
        brush.reset.click(self.reset, state, view, **each)
        if self.gallery is not None:
            self.gallery.select(self.open_example, [self.clicks, *controls], [*view, self.clicks], **last)

    def open_upload(self, path: str | None, clicks: str, *controls: Any) -> tuple[Any, ...]:
        """Open the image that was uploaded, and empty the field, which takes another file only then."""
        return *self._open(path, clicks, controls), None

    def open_example(self, event: gr.SelectData, clicks: str, *controls: Any) -> tuple[Any, ...]:
        """Open the example that was chosen."""
        return self._open(self.examples[event.index], clicks, controls)

    def click(self, event: gr.SelectData, session: Session | None, clicks: str, *controls: Any) -> tuple[Any, ...]:
        """Explain what was clicked in the image, or take the click as a corner of a box."""
        if session is None:
            return *self._without_image(hint(LOST)), clicks
        settings, point = _settings(*controls), unzoomed(event.index, session.image)
        if clicks == EXPLAIN:
            return *self._shown(
                session, clicks, settings, lambda: self.explorer.click(session, point, settings)
            ), clicks
        note = ''
        if clicks == DRAW:
            second = session.corner is not None
            if self.explorer.add_corner(session, point):
                clicks = EXPLAIN
            elif second:
                note = 'The two corners are too close to each other.'
        return *self._shown(session, clicks, settings, lambda: note), clicks

    def change_clicks(self, session: Session | None, clicks: str, *controls: Any) -> tuple[Any, ...]:
        """Change what a click means, and show its controls; a first corner is forgotten."""
        if session is not None:
            session.corner = None
        groups = gr.update(visible=clicks != PAINT), gr.update(visible=clicks == PAINT)
        return *self.refresh(session, clicks, *controls), *groups

    def choose(
        self, session: Session | None, person: int | None, keypoint: int | None, clicks: str, *controls: Any
    ) -> View:
        """Explain what was chosen in the lists."""
        if session is not None:
            session.choice = listed_choice(session, person, keypoint)
        return self.refresh(session, clicks, *controls)

    def paint(self, session: Session | None, stroke: str, clicks: str, *controls: Any) -> View:
        """Add a stroke of the brush."""
        if session is None or clicks != PAINT:
            return self.refresh(session, clicks, *controls)
        settings = _settings(*controls)
        return self._shown(session, clicks, settings, lambda: paint(self.explorer, session, stroke, settings))

    def undo(self, session: Session | None, clicks: str, *controls: Any) -> View:
        """Take back the last stroke."""
        if session is not None:
            undo(session)
        return self.refresh(session, clicks, *controls)

    def reset(self, session: Session | None, clicks: str, *controls: Any) -> View:
        """Take back all strokes."""
        if session is not None:
            reset(session)
        return self.refresh(session, clicks, *controls)

    def refresh(self, session: Session | None, clicks: str, *controls: Any) -> View:
        """Show the image anew after a control was changed."""
        if session is None:
            return self._without_image(hint(LOST))
        return self._shown(session, clicks, _settings(*controls))

    def _open(self, path: str | Path | None, clicks: str, controls: tuple[Any, ...]) -> tuple[Any, ...]:
        """The view of an image, and what a click means in it: where nobody finds boxes, one must be drawn first."""
        try:
            if path is None:
                raise InputError('no image was uploaded')
            session = self.explorer.start(open_image(path))
        except InputError as error:
            return *self._without_image(problem(str(error))), clicks
        if clicks == EXPLAIN:
            clicks = self.first_click
        return *self._shown(session, clicks, _settings(*controls)), clicks

    def _without_image(self, text: str) -> View:
        return None, None, text, *self.list.updates(None, Settings())

    def _shown(self, session: Session, clicks: str, settings: Settings, act: Callable[[], str] = lambda: '') -> View:
        """Do something that returns what went wrong, in sentences, and show what the session holds then.

        What cannot be computed is said in place of the facts; the session stays.
        """
        whose, arrows = None, False
        try:
            note = act()
            if clicks == PAINT:
                image, facts, moves, whose = render_painted(self.explorer, session, settings)
                text, arrows = fact_table(facts) + move_table(moves), any(move.furthest for move in moves)
            else:
                image, facts = render(self.explorer, session, settings)
                top = shown_top(self.explorer, session, settings)
                text = fact_table(facts) + ('' if top is None else scale(top))
                whose = next(iter(session.poses), None)
        except InputError as error:
            image, text, note = session.image, '', f'{error}.'
        words = problem(note) if note else hint(self._advice(session, clicks, settings, whose, arrows))
        shown = np.ascontiguousarray(enlarged(image)[..., ::-1])
        text = words + text + answered(session.id, session.answered)
        return session, shown, text, *self.list.updates(session, settings, whose)

    def _advice(self, session: Session, clicks: str, settings: Settings, compared: int | None, arrows: bool) -> str:
        """What to do next; ``compared`` is the person whose pose is compared, ``arrows`` whether it moved enough."""
        detects = self.explorer.find_boxes is not None
        if clicks == DRAW:
            return DRAW_HINT
        if clicks == PAINT and session.strokes:
            if compared is None:
                return HIDDEN_HINTS[detects]
            if settings.compared != BOTH:
                return ALONE_HINT
            return PAINTED_HINT if arrows else STILL_HINT
        if not session.shown(settings.bbox_thr):
            return NOBODY_HINTS[detects]
        if clicks == PAINT:
            return PAINT_HINT
        low_scores = LowScores(settings.kpt_thr, LOW_SCORES_CURE)
        low_scores.add('This image', [pose.pred_instances.keypoint_scores[0] for pose in session.poses.values()])
        return f'{self._explain_hint()} {low_scores.sentence()}'.rstrip()

    def _explain_hint(self) -> str:
        offer = self.explorer.offer
        if offer.places:
            return 'Click a keypoint, or any place on a person.'
        return 'Click a keypoint.' if offer.kinds else f'Click a keypoint for its name and score. {offer.lack}'


def _settings(kind: str, layer: str, head: str, *others: Any) -> Settings:
    return Settings(kind, int(layer) - 1, None if head == 'mean' else int(head) - 1, *others)


def _thumbnail(image: np.ndarray) -> np.ndarray:
    step = max(1, max(image.shape[:2]) // 200)
    return np.ascontiguousarray(image[::step, ::step, ::-1])


def _text(value: str, elem_id: str) -> gr.Markdown:
    """HTML (gradio's own field for it evaluates scripts, which the content security policy forbids)."""
    return gr.Markdown(value, elem_id=elem_id, latex_delimiters=[])
