"""The images of a COCO-format annotation file."""

from __future__ import annotations

import zlib
from pathlib import Path

from mmtranspose.errors import InputError
from mmtranspose.files.coco_images import image_entries
from mmtranspose.files.json_files import read_json
from mmtranspose.loading.data_files import read_categories


class AnnotatedImages:
    """Names and ids of the images that an annotation file lists; the annotations themselves may be missing.

    Args:
        ann_file (str | Path): The file, in COCO's format.
        img_root (str | Path): The folder that its ``file_name`` are below.

    Attributes:
        ids (list[int | str]): Of the images, in the file's order.
        paths (list[str]): Where they lie.
        annotations (dict): The file's content.

    Raises:
        InputError: The file cannot be read or lists no images, the folder does not exist, or none of them is in it.
    """

    def __init__(self, ann_file: str | Path, img_root: str | Path):
        self.ann_file = str(ann_file)
        self.annotations = read_json(Path(ann_file), 'annotation file')
        images = image_entries(self.annotations, f'annotation file {ann_file}')
        if not Path(img_root).is_dir():
            raise InputError(f'image folder {img_root} (--img-root) does not exist')
        self.ids = [number for number, _ in images]
        self.paths = [str(Path(img_root) / name) for _, name in images]
        if not any(Path(path).is_file() for path in self.paths):
            raise InputError(
                f'none of the {len(images)} images of {ann_file} is below {img_root} (--img-root), such as '
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
