"""Tell which entries of an annotation file have the fields, of the types, that MMPose and pycocotools can read."""

from __future__ import annotations

import math
import sys

from mmtranspose.dataset_check.problems import Problem

# The fields that every entry needs. MMPose computes `image id % sample_interval`, for which text will not do
FIELDS = dict(
    images=dict(id='whole number', file_name='text'),
    annotations=dict(id='number or text', image_id='number or text', category_id='number, text or null'),
)


def is_number(value: object) -> bool:
    """Whether a value is a number that a float can hold; infinity and NaN are."""
    return isinstance(value, float) or (isinstance(value, int) and abs(value) <= sys.float_info.max)


def is_finite(value: object) -> bool:
    """Whether a value is a number, and neither infinite nor NaN."""
    return is_number(value) and math.isfinite(value)  # type: ignore[arg-type]


def are_numbers(value: object) -> bool:
    """Whether a value is a list of numbers."""
    return isinstance(value, (list, tuple)) and all(is_number(one) for one in value)


def is_box(value: object) -> bool:
    """Whether a value is a list of four finite numbers, none of them true or false."""
    if not isinstance(value, (list, tuple)) or len(value) != 4:
        return False
    return all(type(one) in (float, int) and is_finite(one) for one in value)


def described(value: object) -> str:
    """Describe, for a message, a value that is not a list of numbers of the right length."""
    if not isinstance(value, (list, tuple)):
        return repr(value)[:40]
    odd = next((f'{one!r:.40} among ' for one in value if not is_number(one)), '')
    return f'{odd}{len(value)} entries'


def well_formed(entries: list, key: str, problems: list[Problem]) -> list[dict]:
    """Select the entries that have all their fields, and report the others.

    Args:
        entries (list): ``images`` or ``annotations`` of the file.
        key (str): Which of the two.
        problems (list[Problem]): A problem is added for every other entry.
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
    missing = [name for name in fields if name not in entry]
    if missing:
        return f'(id {entry.get("id")!r:.40}) has no {", ".join(missing)}'
    wrong = [name for name, kind in fields.items() if not _is(entry[name], kind)]
    return f'has {wrong[0]}={entry[wrong[0]]!r:.40}; a {fields[wrong[0]]} is expected' if wrong else None


def _is(value: object, kind: str) -> bool:
    if isinstance(value, str) or value is None:
        return ('text' in kind and value is not None) or ('null' in kind and value is None)
    if 'null' in kind:
        return is_number(value)
    if kind == 'text' or isinstance(value, bool) or not is_finite(value):
        return False
    return kind != 'whole number' or float(value) % 1 == 0  # type: ignore[arg-type]


def size_fault(image: dict) -> str | None:
    """What is wrong with an image's width and height, which every person's box is clipped to; None if nothing is."""
    for name in ('width', 'height'):
        value = image.get(name)
        if isinstance(value, bool) or not is_finite(value) or value <= 0:  # type: ignore[operator]
            said = f'has {name}={value!r:.40}; a positive number is expected' if name in image else f'has no {name}'
            return f'image {image["id"]} {said}'
    return None
