"""How good boxes are, by COCO's measure."""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import redirect_stdout

from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

NAMES = {'AP': 0, 'AP50': 1, 'AP75': 2, 'AR': 8}  # places in COCOeval.stats


def box_ap(
    annotations: dict, category: int | str | None, image_ids: Sequence[int | str], detections: Sequence[dict]
) -> dict[str, float] | None:
    """Average precision and recall of boxes over some pictures, by pycocotools.

    Args:
        annotations (dict): An annotation file in COCO's format.
        category (int | str | None): The id of its category that was looked for.
        image_ids (Sequence): Of the pictures that count.
        detections (Sequence[dict]): ``image_id``, ``bbox`` [x, y, w, h], ``score``; of one category.

    Returns:
        dict[str, float] | None: ``AP`` (over IoU 0.50 to 0.95), ``AP50``, ``AP75`` and ``AR`` (100 boxes a picture), 0
        to 1; None where those pictures have no boxes of the category.
    """
    wanted = set(image_ids)
    truths = [
        dict(
            id=number,
            image_id=one['image_id'],
            category_id=1,
            bbox=one['bbox'],
            area=one.get('area', one['bbox'][2] * one['bbox'][3]),
            iscrowd=one.get('iscrowd', 0),
        )
        for number, one in enumerate(annotations.get('annotations') or [], start=1)
        if one.get('bbox') and one.get('category_id') == category and one.get('image_id') in wanted
    ]
    if category is None or not any(not truth['iscrowd'] for truth in truths):
        return None
    if not detections:
        return dict.fromkeys(NAMES, 0.0)
    with redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = dict(images=[dict(id=one) for one in wanted], annotations=truths, categories=[dict(id=1)])
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes([dict(one, category_id=1) for one in detections]), 'bbox')
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return {name: float(evaluation.stats[place]) for name, place in NAMES.items()}
