"""Files of detector boxes, as MMPose uses them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mmtranspose.apis.config import check_detections, read_json
from mmtranspose.apis.dataset_check.annotations import Annotations
from mmtranspose.apis.dataset_check.problems import Problem
from mmtranspose.errors import InputError

PERSON = 1
"""The category_id that MMPose takes boxes of, and no other."""


def check_box_file(path: str, found: Annotations) -> Iterator[Problem]:
    """The format, the scores, and that labelled people's pictures have boxes."""
    try:
        check_detections(path, {picture.id for picture in found.pictures})
    except InputError as error:
        yield Problem('detections', str(error))
        return
    boxes = read_json(Path(path), 'file of detector boxes')
    for index, box in enumerate(boxes):
        score = box['score']
        if not isinstance(score, (int, float)) or not 0 <= score <= 1:
            yield Problem('detection-score', f'{path}: entry {index} has score {score!r:.40}')
    categories = {box['category_id'] for box in boxes}
    if PERSON not in categories:
        yield Problem('detection-category', f'{path}: categories {sorted(categories, key=str)}')
        return
    seen = {box['image_id'] for box in boxes if box['category_id'] == PERSON}
    for image_id in found.pictures_with_people:
        if image_id not in seen:
            yield Problem('picture-without-box', f'image {image_id}')
