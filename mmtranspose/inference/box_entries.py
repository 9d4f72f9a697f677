"""Read the entries of a box file, whatever its form: boxes with the images and the categories that they are of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from mmtranspose.crops.boxes import parse_box, shortened
from mmtranspose.errors import InputError

EXAMPLE = '[[x1, y1, x2, y2], ...]'


@dataclass(frozen=True)
class BoxEntry:
    """One box of a file.

    Attributes:
        image (str): The file name or the ``image_id`` that the box is of; ``''`` in a file for a single image.
        category (int | str | None): Its ``category_id``; None where it has none.
        box (list[float]): x1, y1, x2, y2 and score, in pixels; not checked.
    """

    image: str
    category: int | str | None
    box: list[float]


@dataclass
class BoxEntries:
    """The entries of a box file.

    Attributes:
        by (str): What ``image`` of the entries is: ``'name'``, ``'id'``, or ``'one'`` where all boxes are of one image.
        images (dict[str, None]): The images that the file speaks of, with and without boxes, in its order.
        boxes (list[BoxEntry]): In the order of the file.
        faults (list[tuple[str, str]]): Where an entry cannot be used, and why.
        unusable (dict[str, str]): Images whose whole list of boxes cannot be used, and why.
        crowds (int): Number of crowd regions, which are no person's box and are left out.
        annotations (dict | None): The content, where the file is a whole annotation file.
    """

    by: str
    images: dict[str, None] = field(default_factory=dict)
    boxes: list[BoxEntry] = field(default_factory=list)
    faults: list[tuple[str, str]] = field(default_factory=list)
    unusable: dict[str, str] = field(default_factory=dict)
    crowds: int = 0
    annotations: dict[str, Any] | None = None


def read_entries(content: object, where: str) -> BoxEntries:
    """Read the entries of a box file.

    Args:
        content (object): The file's content: a list of boxes, a list of detections with ``image_id``, a dict from file
            names to lists of boxes, or a whole annotation file in COCO format, whose annotations have the boxes.
        where (str): Names the file in messages.

    Raises:
        InputError: The content has none of these forms.
    """
    if isinstance(content, dict) and isinstance(content.get('annotations'), list):
        entries = _by_id(content['annotations'])
        entries.annotations = content
        return entries
    if isinstance(content, dict):
        return _by_name(content)
    if not isinstance(content, list):
        raise InputError(f'{where} must hold a list or a dict, not a {type(content).__name__}')
    if any(isinstance(entry, dict) and 'image_id' in entry for entry in content):
        return _by_id(content)
    if not_a_list := _no_list_of_boxes(content):
        raise InputError(f'{where}: {not_a_list}')
    entries = BoxEntries('one', {'': None} if content else {})
    _add_boxes(entries, ((f'entry {index}', '', entry) for index, entry in enumerate(content)))
    return entries


def _by_name(content: dict[str, Any]) -> BoxEntries:
    entries = BoxEntries('name', dict.fromkeys(content))
    for name, boxes in content.items():
        if not_a_list := _no_list_of_boxes(boxes):
            entries.unusable[name] = not_a_list
        else:
            _add_boxes(entries, ((f'{name}, entry {index}', name, one) for index, one in enumerate(boxes)))
    return entries


def _by_id(content: list[Any]) -> BoxEntries:
    entries = BoxEntries('id')

    def with_ids() -> Iterator[tuple[str, str, Any]]:
        for index, entry in enumerate(content):
            number = _text_of_id(entry.get('image_id') if isinstance(entry, dict) else None)
            if number is None:
                reason = f'an image_id is expected, a number or a text, as other entries have: {shortened(entry)}'
                entries.faults.append((f'entry {index}', reason))
            elif entry.get('iscrowd') in (1, True):
                entries.crowds += 1
            else:
                entries.images[number] = None
                yield f'entry {index}, image_id {number}', number, entry

    _add_boxes(entries, with_ids())
    return entries


def _add_boxes(entries: BoxEntries, given: Iterator[tuple[str, str, Any]]) -> None:
    for where, image, entry in given:
        category = entry.get('category_id') if isinstance(entry, dict) else None
        if category is not None and _text_of_id(category) is None:
            entries.faults.append((where, f'its category_id {shortened(category)} is neither a number nor a text'))
            continue
        try:
            entries.boxes.append(BoxEntry(image, _whole(category), parse_box(entry, check=False)))
        except InputError as error:
            entries.faults.append((where, str(error)))


def _whole(number: Any) -> Any:
    """Ids that went through a table of floats are whole again: 7.0 is 7."""
    return int(number) if isinstance(number, float) and number.is_integer() else number


def _text_of_id(number: Any) -> str | None:
    """An id as text, by which ids are compared; None if it is no id."""
    number = _whole(number)
    return str(number) if isinstance(number, (int, str)) and not isinstance(number, bool) else None


def _no_list_of_boxes(boxes: Any) -> str | None:
    """Why something is no list of boxes; None if it is one. A box alone is the usual mistake."""
    if not isinstance(boxes, list):
        return f'a list of boxes is expected, {EXAMPLE}, not {shortened(boxes)}'
    if boxes and all(isinstance(value, (int, float)) for value in boxes):
        return f'a list of boxes is expected, {EXAMPLE}, not a single box {shortened(boxes)}'
    return None


OnFault = Callable[[str, str], None]
"""Takes where an entry is that cannot be used, and why."""
