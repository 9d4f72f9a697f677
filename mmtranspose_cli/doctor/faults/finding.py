"""Findings: what is told about an environment."""

from __future__ import annotations

from typing import NamedTuple

from mmtranspose_cli.doctor.cures import Step

OK, NOTE, BROKEN = 'ok', 'note', 'broken'


class Finding(NamedTuple):
    """One thing to tell about the environment.

    Attributes:
        titles: The rows of the table that it concerns.
        verdict: 'broken' where something will fail, 'note' where it is only good to know.
        remark: A few words for the table.
        sentence: The explanation; '' for what follows from another finding.
        steps: The cure.
        advice: What else can be done.
        otherwise: The steps that the advice is about, in place of the cure.
    """

    titles: tuple[str, ...]
    verdict: str
    remark: str
    sentence: str = ''
    steps: tuple[Step, ...] = ()
    advice: str = ''
    otherwise: tuple[Step, ...] = ()


def broken(
    title: str, remark: str, sentence: str, *steps: Step, advice: str = '', otherwise: tuple[Step, ...] = ()
) -> list[Finding]:
    """A list of one finding: something will fail."""
    return [Finding((title,), BROKEN, remark, sentence, steps, advice, otherwise)]


def note(title: str, remark: str, sentence: str, advice: str = '', otherwise: tuple[Step, ...] = ()) -> list[Finding]:
    """A list of one finding: something works, and there is something to know about it."""
    return [Finding((title,), NOTE, remark, sentence, (), advice, otherwise)]
