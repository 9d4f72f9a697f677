"""Paint over a person and see the pose move: what the page's brush does, without the page."""

from __future__ import annotations

import numpy as np

from mmtranspose.app.counterfactual import (
    PIXELS,
    TOKENS_OFF,
    Counterfactual,
    mean_grey,
    replace_pixels,
    switch_tokens_off,
)
from mmtranspose.app.explorer import NOBODY, Explorer
from mmtranspose.app.painting import MOST_STROKES, Stroke, painted, read_strokes
from mmtranspose.app.session import Session, Settings
from mmtranspose.errors import InputError, require_choice

OTHER_IMAGE = 'The stroke was painted on another image, so it is left out.'
NO_TOKEN = 'No token is off: the paint covers none by half. Paint more, or with a larger brush.'


def replacements(explorer: Explorer) -> tuple[str, ...]:
    """What may take the place of what is painted: tokens can be switched off only where the model's are at hand."""
    return (*PIXELS, TOKENS_OFF) if explorer.offer.tokens_off else PIXELS


def paint(explorer: Explorer, session: Session, text: str, settings: Settings) -> str:
    """Add strokes, as the page describes them, to what is painted.

    Strokes that were answered before are passed over: the page sends a stroke again until it sees the answer. A stroke
    that equals the one before it changes nothing.

    Returns:
        str: Why one was not added, in sentences; empty if all were.
    """
    try:
        image, strokes = read_strokes(text)
    except InputError as error:
        return f'{error}.'
    if image != session.id:
        return OTHER_IMAGE
    notes = [_add(explorer, session, one, settings) for one in strokes if one.number > session.answered]
    return next(filter(None, notes), '')


def _add(explorer: Explorer, session: Session, stroke: Stroke, settings: Settings) -> str:
    session.answered = stroke.number
    if session.strokes and stroke == session.strokes[-1]:
        return ''
    if len(session.strokes) >= MOST_STROKES:
        return f'There are {MOST_STROKES} strokes already: undo some.'
    session.strokes.append(stroke)
    if painted_person(explorer, session, settings) is None:
        session.strokes.pop()
        return NOBODY
    return ''


def undo(session: Session) -> None:
    """Take back the last stroke, if there is one."""
    del session.strokes[-1:]


def reset(session: Session) -> None:
    """Take back all strokes."""
    session.strokes.clear()


def painted_person(explorer: Explorer, session: Session, settings: Settings) -> int | None:
    """Find out whose pose is compared: the chosen person's, or else that of whose box most is painted.

    Of several the person with the smallest box; None if nothing is painted in any box and nobody is chosen.
    """
    shown = explorer.pose(session, settings)
    if session.choice is not None:
        return session.choice.person
    mask = painted(session.strokes, session.size)
    areas = {person: np.prod(session.boxes[person, 2:4] - session.boxes[person, :2]) for person in shown}
    counts = {person: _painted_in(mask, session.boxes[person]) for person in shown}
    best = max(shown, key=lambda person: (counts[person], -areas[person]), default=None)
    return best if best is not None and counts[best] else None


def _painted_in(mask: np.ndarray, box: np.ndarray) -> int:
    x1, y1, x2, y2 = np.rint(box[:4].clip(0)).astype(int)
    return int(mask[y1:y2, x1:x2].sum())


def counterfactual(explorer: Explorer, session: Session, settings: Settings) -> tuple[int, Counterfactual] | None:
    """Compare a person's pose with that after what is painted was replaced; the last comparison is kept.

    Returns:
        tuple[int, Counterfactual] | None: The number of the person's box, and the comparison; None while nothing is
        painted.

    Raises:
        InputError: There is no such replacement; an exported file cannot switch tokens off.
    """
    require_choice('replacement', settings.replacement, replacements(explorer))
    person = painted_person(explorer, session, settings) if session.strokes else None
    if person is None:
        return None
    key = person, settings.replacement, tuple(session.strokes)
    if session.counterfactual is None or session.counterfactual[0] != key:
        session.counterfactual = key, _computed(explorer, session, person, settings.replacement)
    return person, session.counterfactual[1]


def _computed(explorer: Explorer, session: Session, person: int, how: str) -> Counterfactual:
    mask, box = painted(session.strokes, session.size), session.boxes[person]
    if how == TOKENS_OFF:
        explanation = explorer.explained(session, person)
        return switch_tokens_off(explorer.model, explanation, session.image, box, mask)
    return replace_pixels(explorer.estimator, session.image, box, mask, how, mean_grey(explorer.model))
