"""Entries of an annotation file, and whether their fields are what MMPose can read."""

from __future__ import annotations

import sys

from mmtranspose.dataset_check.problems import Problem

FIELDS = dict(
    images=dict(id='id', file_name='text', width='number', height='number'),
    annotations=dict(id='number', image_id='number', category_id='category'),
)
"""What every entry has, and of what kind. Images' ids are counted with, so that only whole numbers will do."""


def is_number(value: object) -> bool:
    """Whether a value is a number that a float can hold; infinity and NaN are."""
    return isinstance(value, float) or (isinstance(value, int) and abs(value) <= sys.float_info.max)


def are_numbers(value: object) -> bool:
    """Whether a value is a list of numbers."""
    return isinstance(value, (list, tuple)) and all(is_number(one) for one in value)


def described(value: object) -> str:
    """What a message says of a value that is no good list of numbers."""
    if not isinstance(value, (list, tuple)):
        return repr(value)[:40]
    odd = next((f'{one!r:.40} among ' for one in value if not is_number(one)), '')
    return f'{odd}{len(value)} entries'


def well_formed(entries: list, key: str, problems: list[Problem]) -> list[dict]:
    """The entries with all their fields; the others are added to ``problems``.

    Args:
        entries (list): ``images`` or ``annotations`` of the file.
        key (str): Which of the two.
        problems (list[Problem]): Grows.
    """
    good = []
    for index, entry in enumerate(entries):
        fault = _fault(entry, FIELDS[key])
        if fault:
            problems.append(Problem('entry-malformed', f'{key}[{index}] {fault}'))
        else:
            good.append(entry)
    return good


def _fault(entry: object, fields: dict[str, str]) -> str | None:
    if not isinstance(entry, dict):
        return f'is {entry!r:.40}, not a dict'
    lacking = [name for name in fields if name not in entry]
    if lacking:
        return f'(id {entry.get("id")!r:.40}) has no {", ".join(lacking)}'
    wrong = [name for name, kind in fields.items() if not _is(entry[name], kind)]
    return f'has {wrong[0]}={entry[wrong[0]]!r:.40}' if wrong else None


def _is(value: object, kind: str) -> bool:
    if kind in ('text', 'category') and isinstance(value, str):
        return True
    if kind == 'text' or isinstance(value, bool):
        return False
    return isinstance(value, int) if kind == 'id' else is_number(value)
