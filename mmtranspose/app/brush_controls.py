"""The brush's controls in gradio, and the lists of people and keypoints. Imported only where gradio is installed."""

from __future__ import annotations

from typing import Any

import gradio as gr

from mmtranspose.app.brush import replacements
from mmtranspose.app.explorer import Explorer
from mmtranspose.app.offer import TOKENS_STAY
from mmtranspose.app.page_look import hint
from mmtranspose.app.session import BOTH, COMPARED, Choice, Session, Settings
from mmtranspose.visualization.canvas import spaced


class BrushControls:
    """What the page shows while something is painted; laid out where it is made.

    Args:
        explorer (Explorer): Says whether tokens can be switched off.

    Attributes:
        group (gr.Column): All of it, to show and hide.
        stroke (gr.Textbox): Out of sight; the brush (``brush.js``) writes each stroke into it.
    """

    def __init__(self, explorer: Explorer):
        choices = replacements(explorer)
        with gr.Column(visible=False, elem_id='brush') as self.group:
            with gr.Group():
                self.replacement = gr.Radio(
                    choices, value=choices[0], label='Replace what is painted by', elem_id='replacement'
                )
                self.compared = gr.Radio(COMPARED, value=BOTH, label='Pose', elem_id='compared')
                gr.Slider(
                    1, 15, 3, step=0.5, label='Radius of the brush, in % of the longer side', elem_id='brush-size'
                )
            with gr.Row():
                self.undo = gr.Button('Undo', elem_id='undo', min_width=100)
                self.reset = gr.Button('Reset', elem_id='reset', min_width=100)
            if not explorer.offer.tokens_off:
                gr.Markdown(hint(TOKENS_STAY), elem_id='tokens-stay')
        self.stroke = gr.Textbox(show_label=False, container=False, elem_id='stroke')


class KeypointList:
    """Lists of people and keypoints to choose from; laid out where it is made.

    Args:
        explorer (Explorer): Knows the keypoints' names.
    """

    def __init__(self, explorer: Explorer):
        self.names = [spaced(name) for name in explorer.names]
        # Empty lists let any value pass: who has lost a session still sees the entries of the former lists, and the
        # page, not gradio, says what has happened.
        self.person = gr.Dropdown([], label='Person', elem_id='person', visible=False, allow_custom_value=True)
        self.keypoint = gr.Dropdown(
            [],
            label='Keypoint, by name or by a click',
            elem_id='keypoint',
            filterable=True,
            allow_custom_value=True,
        )

    def updates(
        self, session: Session | None, settings: Settings, whose: int | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """What both lists show: the people, and the keypoints with their scores; chosen is what the session says.

        Args:
            session (Session | None): None empties the lists.
            settings (Settings): Say who is shown. People without a pose are left out.
            whose (int | None): The person that is marked where nobody is chosen; None: nobody, and the keypoints'
                scores are those of the first person.
        """
        shown = [] if session is None else [one for one in session.shown(settings.bbox_thr) if one in session.poses]
        if session is None or not shown:
            empty = gr.update(choices=[], value=None, allow_custom_value=True)
            return {**empty, 'visible': False}, empty
        choice = session.choice
        marked = choice.person if choice is not None else whose
        person = shown[0] if marked is None else marked
        scores = session.poses[person].pred_instances.keypoint_scores[0]
        keypoints = [(f'{name} · {score:.2f}', index) for index, (name, score) in enumerate(zip(self.names, scores))]
        people = [(f'person {index + 1}', index) for index in shown]
        chosen = None if choice is None else choice.keypoint
        return (
            gr.update(choices=people, value=marked, visible=len(people) > 1, allow_custom_value=False),
            gr.update(choices=keypoints, value=chosen, allow_custom_value=False),
        )


def listed_choice(session: Session, person: int | None, keypoint: int | None) -> Choice | None:
    """What was chosen in the lists; of a person without a keypoint the one with the highest score."""
    if person is None or person not in session.poses:
        person = next(iter(session.poses), None)
    if person is None:
        return None
    scores = session.poses[person].pred_instances.keypoint_scores[0]
    if keypoint is None or not 0 <= keypoint < len(scores):
        keypoint = int(scores.argmax())
    return Choice(person, keypoint=keypoint)
