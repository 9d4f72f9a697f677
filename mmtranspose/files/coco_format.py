"""Read the lists of images and of categories in an annotation file of COCO's format."""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

from mmtranspose.errors import InputError
from mmtranspose.typing import PathLike

PERSON = 1  # the category of people in COCO, which detectors and MMPose write


def image_entries(content: object, where: str) -> list[tuple[int | str, str]]:
    """List the id and the file name of each image.

    Args:
        content (object): The file's content.
        where (str): Names the file in messages.

    Raises:
        InputError: There are no images, an entry lacks ``id`` or ``file_name`` or has one of another type, or two
            entries have the same id.
    """
    images = content.get('images') if isinstance(content, dict) else None
    if not isinstance(images, list) or not images:
        raise InputError(f'{where} is not in COCO format: it has no "images"')
    pairs = [_id_and_name(image, f'{where}: images[{index}]') for index, image in enumerate(images)]
    seen = set()
    for number, name in pairs:
        if number in seen:
            raise InputError(f'{where}: image id {number!r} appears twice, the second time for {name}')
        seen.add(number)
    return pairs


def _id_and_name(image: object, where: str) -> tuple[int | str, str]:
    number, name = (image.get('id'), image.get('file_name')) if isinstance(image, dict) else (None, None)
    if not isinstance(number, (int, str)) or not isinstance(name, str) or not name:
        raise InputError(f'{where} is {image!s:.60}; a dict with id and file_name is expected')
    return number, name


def read_categories(annotations: dict[str, Any], path: PathLike) -> list[dict[str, Any]]:
    """List the categories; none if the file has no ``categories``.

    Args:
        annotations (dict): The file's content.
        path (str | Path): The file, for messages.

    Returns:
        list[dict]: Each has an ``id``.

    Raises:
        InputError: ``categories`` is no list of dicts with an id.
    """
    categories = annotations.get('categories', [])
    where = f'annotation file {path}: categories'
    if not isinstance(categories, list):
        raise InputError(f'{where} is {categories!r:.40}; a list of dicts is expected')
    for index, one in enumerate(categories):
        if not isinstance(one, dict) or not isinstance(one.get('id'), (int, float, str)):
            raise InputError(f'{where}[{index}] is {one!r:.40}; a dict with an id is expected')
    return categories


def carried_categories(annotations: dict[str, Any]) -> list[int | str]:
    """List the ids of the categories that people carry in an annotation file, the most frequent first.

    Exporting tools give people any category id (CVAT 1, Label Studio 0, coco-annotator a large number), and an id in
    ``categories`` need not be carried by anybody. Where annotations have keypoints, the others do not count.

    Args:
        annotations (dict): The file's content; entries that are malformed do not count.
    """
    entries = annotations.get('annotations')
    entries = [one for one in entries if isinstance(one, dict)] if isinstance(entries, list) else []
    people = [one for one in entries if one.get('keypoints')] or entries
    ids = [one.get('category_id') for one in people]
    counts = Counter(one for one in ids if isinstance(one, (int, str)) and not isinstance(one, bool))
    return [one for one, _ in counts.most_common()]


class PersonBoxes(NamedTuple):
    """The boxes of people in a file of detector boxes.

    Attributes:
        boxes (list[dict]): The boxes of people, each with the ``category_id`` that people carry in the annotations.
        left_out (str): What is left out, in words: ``'12 of 40 boxes are of other categories (3: 12)'``; or empty.
    """

    boxes: list[dict[str, Any]]
    left_out: str


def person_boxes(detections: list[dict[str, Any]], annotations: object, path: PathLike) -> PersonBoxes:
    """Select the boxes of people from a file of detector boxes.

    They are of a category that people carry in the annotations. If there are none, and all people carry one category,
    boxes of category 1 are theirs: so COCO calls people, and so detectors write them.

    Args:
        detections (list[dict]): Boxes with a ``category_id``.
        annotations (object): The content of the annotation file; without people in it, the category is 1.
        path (str | Path): The file of detector boxes, for messages.

    Raises:
        InputError: There are boxes, but none of them is of a person.
    """
    carried = (carried_categories(annotations) if isinstance(annotations, dict) else []) or [PERSON]
    counts = Counter(one['category_id'] for one in detections)
    wanted = {category: category for category in carried if category in counts}
    if not wanted and len(carried) == 1 and PERSON in counts:
        wanted = {PERSON: carried[0]}
    boxes = [dict(one, category_id=wanted[one['category_id']]) for one in detections if one['category_id'] in wanted]
    other = ', '.join(f'{category!r}: {count}' for category, count in counts.items() if category not in wanted)
    if detections and not boxes:
        listed = ', '.join(map(repr, carried))
        raise InputError(
            f'file of detector boxes {path}: none of its {len(detections)} boxes is of category_id {listed}, which '
            f'people carry in the annotations; it has {other}'
        )
    left_out = f'{len(detections) - len(boxes)} of {len(detections)} boxes are of other categories ({other})'
    return PersonBoxes(boxes, left_out if other else '')
