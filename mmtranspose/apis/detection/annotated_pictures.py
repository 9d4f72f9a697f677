"""The pictures of a COCO-format annotation file."""

from __future__ import annotations

import zlib
from pathlib import Path

from mmtranspose.apis.config import read_categories, read_json
from mmtranspose.errors import InputError


class AnnotatedPictures:
    """Names and ids of the pictures that an annotation file lists; the annotations themselves may be missing.

    Args:
        ann_file (str | Path): The file, in COCO's format.
        img_root (str | Path): The folder that its ``file_name`` are below.

    Attributes:
        ids (list[int | str]): Of the pictures, in the file's order.
        paths (list[str]): Where they lie.
        annotations (dict): The file's content.

    Raises:
        InputError: The file cannot be read or lists no pictures, the folder does not exist, or none of them is in it.
    """

    def __init__(self, ann_file: str | Path, img_root: str | Path):
        self.ann_file = str(ann_file)
        self.annotations = read_json(Path(ann_file), 'annotation file')
        images = self.annotations.get('images') if isinstance(self.annotations, dict) else None
        if not isinstance(images, list) or not images:
            raise InputError(f'annotation file {ann_file} is not in COCO format: it has no "images"')
        for index, image in enumerate(images):
            if not (isinstance(image, dict) and isinstance(image.get('id'), (int, str)) and _named(image)):
                where = f'annotation file {ann_file}: images[{index}]'
                raise InputError(f'{where} is {str(image):.60}; a dict with id and file_name is wanted')
        if not Path(img_root).is_dir():
            raise InputError(f'picture folder {img_root} (--img-root) does not exist')
        self.ids = [image['id'] for image in images]
        self.paths = [str(Path(img_root) / image['file_name']) for image in images]
        if not any(Path(path).is_file() for path in self.paths):
            raise InputError(
                f'none of the {len(images)} pictures of {ann_file} is below {img_root} (--img-root), such as '
                f'{self.paths[0]}'
            )

    def __len__(self) -> int:
        return len(self.ids)

    def checksum(self) -> int:
        """Changes where an id or a file's place does."""
        return zlib.crc32(repr((self.ids, self.paths)).encode())

    def category_id(self, name: str) -> int | str | None:
        """The id of the category of a name (any case), or of the only one; None where there is none.

        Raises:
            InputError: The categories are no list of dicts with an id.
        """
        categories = read_categories(self.annotations, self.ann_file)
        named = [one['id'] for one in categories if str(one.get('name')).lower() == name.lower()]
        if named:
            return named[0]
        return categories[0]['id'] if len(categories) == 1 else None


def _named(image: dict) -> bool:
    return isinstance(image.get('file_name'), str) and bool(image['file_name'])
