"""The images and person boxes of a COCO annotation file, and the box AP of detections."""

from __future__ import annotations

import io
import zlib
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path

from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

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


NAMES = {'AP': 0, 'AP50': 1, 'AP75': 2, 'AR': 8}  # places in COCOeval.stats


def true_boxes(annotations: dict, category: int | str | None, where: str) -> list[dict]:
    """The boxes of one category in an annotation file, in the form that pycocotools takes.

    Args:
        annotations (dict): The file's content, in COCO's format.
        category (int | str | None): The category's id; None: there is none.
        where (str): Named by errors.

    Raises:
        InputError: An annotation is no dict, or has no box of four numbers.
    """
    entries = annotations.get('annotations') or []
    if not isinstance(entries, list):
        raise InputError(f'{where}: "annotations" must be a list')
    boxes = []
    for index, entry in enumerate(entries):
        if not isinstance(entry, dict):
            raise InputError(f'{where}: annotations[{index}] is {str(entry):.60}; a dict is wanted')
        if category is not None and entry.get('category_id') == category and entry.get('bbox'):
            boxes.append(_true_box(entry, len(boxes) + 1, f'{where}: annotations[{index}]'))
    return boxes


def _true_box(entry: dict, number: int, where: str) -> dict:
    try:
        if isinstance(entry['bbox'], str):
            raise TypeError('bbox is a text')
        x, y, w, h = (float(value) for value in entry['bbox'])
        area = w * h if entry.get('area') is None else float(entry['area'])
        image_id, crowd = entry['image_id'], int(entry.get('iscrowd') or 0)
        hash(image_id)
    except (TypeError, ValueError, KeyError) as error:
        raise InputError(f'{where} has no image_id, bbox [x, y, w, h] and area that can be used: {error!r}') from None
    return dict(id=number, image_id=image_id, category_id=1, bbox=[x, y, w, h], area=area, iscrowd=crowd)


def box_ap(
    truths: Sequence[dict], image_ids: Sequence[int | str], detections: Sequence[dict]
) -> dict[str, float] | None:
    """Average precision and recall of boxes over some images, by pycocotools.

    Args:
        truths (Sequence[dict]): From :func:`true_boxes`.
        image_ids (Sequence): Of the images that count.
        detections (Sequence[dict]): ``image_id``, ``bbox`` [x, y, w, h], ``score``; of the same category.

    Returns:
        dict[str, float] | None: ``AP`` (over IoU 0.50 to 0.95), ``AP50``, ``AP75`` and ``AR`` (100 boxes an image), 0
        to 1; None where those images have no boxes.
    """
    # pycocotools sorts ids, which may be numbers and texts
    places = {image_id: place for place, image_id in enumerate(dict.fromkeys(image_ids))}
    truths = [dict(one, image_id=places[one['image_id']]) for one in truths if one['image_id'] in places]
    found = [
        dict(one, image_id=places[one['image_id']], category_id=1) for one in detections if one['image_id'] in places
    ]
    if not any(not truth['iscrowd'] for truth in truths):
        return None
    if not found:
        return dict.fromkeys(NAMES, 0.0)
    with redirect_stdout(io.StringIO()):
        truth = COCO()
        images = [dict(id=place) for place in places.values()]
        truth.dataset = dict(images=images, annotations=truths, categories=[dict(id=1)])
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(found), 'bbox')
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return {name: float(evaluation.stats[place]) for name, place in NAMES.items()}
