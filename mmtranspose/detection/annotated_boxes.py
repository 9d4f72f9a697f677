"""The images and the boxes of an annotation file in COCO's format, and the box AP of detections."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from mmtranspose.compat.prints import without_prints
from mmtranspose.errors import InputError
from mmtranspose.files.coco_format import image_entries
from mmtranspose.files.json_files import read_json
from mmtranspose.typing import PathLike

STATISTICS = {'AP': 0, 'AP50': 1, 'AP75': 2, 'AR': 8}  # places in COCOeval.stats


class AnnotatedImages:
    """The ids and the paths of the images that an annotation file lists. Annotations may be missing.

    Args:
        ann_file (str | Path): The file, in COCO's format.
        img_root (str | Path): The folder of the images; every ``file_name`` starts from it.

    Attributes:
        ann_file (str): The file.
        annotations (dict): The content of the file.
        ids (list[int | str]): The ids of the images, in the order of the file.
        paths (list[str]): Their paths.

    Raises:
        InputError: The file cannot be read or lists no images, the folder does not exist, or has none of the images.
    """

    def __init__(self, ann_file: PathLike, img_root: PathLike):
        self.ann_file = str(ann_file)
        content = read_json(Path(ann_file), 'annotation file')
        entries = image_entries(content, f'annotation file {ann_file}')
        assert isinstance(content, dict)  # else image_entries raises
        self.annotations: dict[str, Any] = content
        if not Path(img_root).is_dir():
            raise InputError(f'image folder {img_root} (--img-root) does not exist')
        self.ids = [number for number, _ in entries]
        self.paths = [str(Path(img_root) / name) for _, name in entries]
        if not any(Path(path).is_file() for path in self.paths):
            raise InputError(
                f'none of the {len(entries)} images of {ann_file} is below {img_root} (--img-root), such as '
                f'{self.paths[0]}'
            )

    def __len__(self) -> int:
        return len(self.ids)

    def checksum(self) -> int:
        """CRC-32 of the ids and paths, which identifies the list of images."""
        return zlib.crc32(repr((self.ids, self.paths)).encode())


@dataclass
class TrueBoxes:
    """The ground-truth boxes of one category.

    Attributes:
        boxes (list[dict]): In the form that pycocotools takes.
        faults (dict[str, int | str | None]): What is wrong with annotations that cannot be used, and the images whose
            ground truth is therefore not known; None where the image is not known either.
        others (int): Number of boxes of other categories.
    """

    boxes: list[dict[str, Any]] = field(default_factory=list)
    faults: dict[str, int | str | None] = field(default_factory=dict)
    others: int = 0


def true_boxes(annotations: dict[str, Any], category: int | str) -> TrueBoxes:
    """Select the ground-truth boxes of one category from an annotation file.

    Args:
        annotations (dict): The content of the file.
        category (int | str): The id of the category.
    """
    found, entries = TrueBoxes(), annotations.get('annotations') or []
    if not isinstance(entries, list):
        return TrueBoxes(faults={'"annotations" is no list': None})
    for index, entry in enumerate(entries):
        where = f'annotations[{index}]'
        if not isinstance(entry, dict):
            found.faults[f'{where} is {entry!s:.60}; a dict is expected'] = None
        elif entry.get('category_id') != category:
            found.others += bool(entry.get('bbox'))
        elif entry.get('bbox'):
            _add_box(found, entry, where)
    return found


def _add_box(found: TrueBoxes, entry: dict[str, Any], where: str) -> None:
    image_id = entry.get('image_id')
    if not isinstance(image_id, (int, str)):
        found.faults[f'{where} has the image_id {image_id!s:.60}; a number or a text is expected'] = None
        return
    try:
        x, y, w, h = (float(value) for value in ([] if isinstance(entry['bbox'], str) else entry['bbox']))
        area = w * h if entry.get('area') is None else float(entry['area'])
        known = np.isfinite([x, y, w, h, area]).all() and w > 0 and h > 0 and area >= 0
    except (TypeError, ValueError, OverflowError):
        known = False
    crowd = entry.get('iscrowd') or 0
    if not known or crowd not in (0, 1):
        given = {name: entry[name] for name in ('bbox', 'area', 'iscrowd') if name in entry}
        found.faults[f'{where} has no bbox, area and iscrowd that can be used: {given!s:.100}'] = image_id
        return
    number = len(found.boxes) + 1
    found.boxes.append(
        dict(id=number, image_id=image_id, category_id=1, bbox=[x, y, w, h], area=area, iscrowd=int(crowd))
    )


def box_ap(
    annotated: Sequence[dict[str, Any]], image_ids: Sequence[int | str], detections: Sequence[dict[str, Any]]
) -> dict[str, float] | None:
    """Measure the average precision and recall of detected boxes with pycocotools.

    Args:
        annotated (Sequence[dict]): The ground truth, ``boxes`` of :func:`true_boxes`.
        image_ids (Sequence[int | str]): The images to measure over.
        detections (Sequence[dict]): ``image_id``, ``bbox`` [x, y, w, h] in pixels, ``score``; of the same category.

    Returns:
        dict[str, float] | None: ``AP`` (mean over IoU 0.50 to 0.95), ``AP50``, ``AP75`` and ``AR`` (100 boxes an
        image), 0 to 1; None where the images have no ground-truth boxes.
    """
    # pycocotools sorts ids, which may be numbers and texts: take places in the list instead
    places = {image_id: place for place, image_id in enumerate(dict.fromkeys(image_ids))}
    annotated = [dict(one, image_id=places[one['image_id']]) for one in annotated if one['image_id'] in places]
    found = [
        dict(one, image_id=places[one['image_id']], category_id=1) for one in detections if one['image_id'] in places
    ]
    if all(one['iscrowd'] for one in annotated):
        return None
    if not found:
        return dict.fromkeys(STATISTICS, 0.0)
    with without_prints():
        ground_truth = COCO()
        images = [dict(id=place) for place in places.values()]
        ground_truth.dataset = dict(images=images, annotations=annotated, categories=[dict(id=1)])
        ground_truth.createIndex()
        evaluation = COCOeval(ground_truth, ground_truth.loadRes(found), 'bbox')
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return {name: float(evaluation.stats[place]) for name, place in STATISTICS.items()}
