"""The images that a COCO annotation file lists."""

from __future__ import annotations

from mmtranspose.errors import InputError


def image_entries(content: object, where: str) -> list[tuple[int | str, str]]:
    """Id and file name of each image.

    Args:
        content (object): The file's.
        where (str): Named by errors.

    Raises:
        InputError: There are none, an entry lacks ``id`` or ``file_name`` or has one of another type, or an id is there
            twice.
    """
    images = content.get('images') if isinstance(content, dict) else None
    if not isinstance(images, list) or not images:
        raise InputError(f'{where} is not in COCO format: it has no "images"')
    pairs = [_pair(image, f'{where}: images[{index}]') for index, image in enumerate(images)]
    seen = set()
    for number, name in pairs:
        if number in seen:
            raise InputError(f'{where}: image id {number!r} is there twice, the second time for {name}')
        seen.add(number)
    return pairs


def _pair(image: object, where: str) -> tuple[int | str, str]:
    number, name = (image.get('id'), image.get('file_name')) if isinstance(image, dict) else (None, None)
    if not isinstance(number, (int, str)) or not isinstance(name, str) or not name:
        raise InputError(f'{where} is {str(image):.60}; a dict with id and file_name is wanted')
    return number, name
