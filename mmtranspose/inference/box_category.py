"""Choose the category whose boxes are those of people, in a file of boxes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from mmtranspose.crops.boxes import shortened
from mmtranspose.errors import InputError
from mmtranspose.files.coco_format import PERSON


class BoxCategory(NamedTuple):
    """The category of the boxes that are used.

    Attributes:
        id (int | str): The ``category_id`` of results.
        of_boxes (str | None): The category in the box file, as text; None where no box has a category.
        why (str): In words, why it was chosen, where nobody asked for it and it is not 1; or empty.
    """

    id: int | str
    of_boxes: str | None
    why: str = ''


def choose_category(
    counts: Counter[int | str], carried: Sequence[int | str], asked: int | str | None, where: str
) -> BoxCategory:
    """Choose the category of people.

    It is the one that was asked for; else the one that people carry in the annotations or, if no box is of it, 1, as
    detectors write; without annotations 1; else the only one in the file.

    Args:
        counts (Counter): Number of boxes by category; boxes without a category are in none.
        carried (Sequence[int | str]): The categories that people carry in the annotations; empty without annotations.
        asked (int | str | None): The category that was asked for; ``'9'`` is 9.
        where (str): Names the box file in messages.

    Raises:
        InputError: The file has other categories only; lists them.
    """
    in_file = {str(category): category for category in reversed(counts)}
    known = {str(category): category for category in carried}
    if asked is not None:
        found = in_file.get(str(asked), known.get(str(asked), _number_or_text(asked)))
        if counts and str(asked) not in in_file:
            raise InputError(f'{where}: no box is of category {asked} (--bbox-category); it has {_listed(counts)}')
        return BoxCategory(found, str(asked))
    if not counts:
        return BoxCategory(carried[0] if carried else PERSON, None)
    both = [category for category in known if category in in_file]
    if len(both) == 1:
        return _chosen(known[both[0]], both[0], 'which people carry in the annotations')
    if str(PERSON) in in_file and (len(both) > 1 or len(known) <= 1):
        return BoxCategory(carried[0] if len(known) == 1 else PERSON, str(PERSON))
    if len(in_file) == 1 and not known:
        only, category = next(iter(in_file.items()))
        return _chosen(category, only, 'the only one')
    people = f'; people carry {", ".join(map(repr, carried))} in the annotations' if carried else ''
    raise InputError(
        f'{where}: which of its categories is that of people? It has {_listed(counts)}{people}; choose one by '
        '--bbox-category ID'
    )


def _chosen(category: int | str, of_boxes: str, why: str) -> BoxCategory:
    return BoxCategory(category, of_boxes, '' if of_boxes == str(PERSON) else f'category {category} is used, {why}')


def _number_or_text(asked: int | str) -> int | str:
    return int(asked) if isinstance(asked, str) and asked.isdecimal() else asked


def _listed(counts: Counter[int | str]) -> str:
    return ', '.join(f'{count} of category {shortened(category)}' for category, count in counts.most_common())
