"""The category of people in an annotation file, which detections and results carry."""

from __future__ import annotations

from typing import Any

from mmtranspose.files.coco_format import PERSON, carried_categories, read_categories
from mmtranspose.typing import PathLike


def category_of_people(annotations: dict[str, Any], path: PathLike, name: str = 'person') -> int | str:
    """Find the category that the people of an annotation file carry.

    Args:
        annotations (dict): The content of the file, in COCO's format.
        path (str | Path): The file, for messages.
        name (str): What the detector calls people.

    Returns:
        int | str: Of the categories that people carry the only one; else the one of that name, in upper or lower case;
        else the most frequent one. Where nobody is annotated: the category of that name; else the only one; else 1.

    Raises:
        InputError: The categories are no list of dicts with an id.
    """
    categories = read_categories(annotations, path)
    carried = carried_categories(annotations)
    known = carried or [one['id'] for one in categories]
    named = [one['id'] for one in categories if str(one.get('name')).lower() == name.lower() and one['id'] in known]
    if named and len(known) > 1:
        return named[0]
    return known[0] if carried or len(known) == 1 else PERSON
