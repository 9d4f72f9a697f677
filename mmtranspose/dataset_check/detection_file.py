"""Check a file of detector boxes, in COCO's format of results, which a dataset reads as its ``bbox_file``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torchvision.ops import box_convert, box_iou

from mmtranspose.dataset_check.annotations import Annotations
from mmtranspose.dataset_check.entry_fields import is_finite
from mmtranspose.dataset_check.problems import Problem
from mmtranspose.errors import InputError
from mmtranspose.files.coco_format import carried_categories, person_boxes
from mmtranspose.files.json_files import read_json
from mmtranspose.typing import PathLike

OVERLAP = 0.5  # IoU from which on a detector box is a person's
FEW = 0.5  # if the share of people with a box of their own is smaller, the boxes are probably of another form


def check_detections(path: PathLike, image_ids: set[int | str] | None = None) -> list[dict[str, Any]]:
    """Read a file of detector boxes.

    Args:
        path (str | Path): The file.
        image_ids (set | None): Of the images in the annotation file; None: not checked.

    Returns:
        list[dict]: Its boxes: ``image_id``, ``category_id``, ``bbox`` [x, y, w, h] in pixels, ``score``.

    Raises:
        InputError: The file is missing or is no JSON list of boxes with scores; an id is no whole number or text; a
            box is not finite or has a negative size, or belongs to an image that is not in the annotation file.
    """
    detections = read_json(Path(path), 'file of detector boxes')
    if not isinstance(detections, list):
        raise InputError(f'file of detector boxes {path} must hold a list, not a {type(detections).__name__}')
    for index, detection in enumerate(detections):
        _check_detection(detection, image_ids, f'file of detector boxes {path}: entry {index}')
    return detections


def _check_detection(detection: object, image_ids: set[int | str] | None, where: str) -> None:
    if not isinstance(detection, dict):
        raise InputError(f'{where} is {detection!r:.80}, not a dict with a bbox')
    missing = {'image_id', 'category_id', 'bbox', 'score'} - set(detection)
    if missing:
        raise InputError(f'{where} has no {", ".join(sorted(missing))}')
    for name in ('image_id', 'category_id'):
        id = detection[name]
        whole = isinstance(id, float) and id.is_integer()
        if not (isinstance(id, (int, str)) or whole) or isinstance(id, bool):
            raise InputError(f'{where} has {name}={detection[name]!r:.40}; a whole number is expected')
    if image_ids is not None and detection['image_id'] not in image_ids:
        raise InputError(f'{where} is for image {detection["image_id"]}, which the annotation file does not have')
    if not _is_box(detection['bbox']):
        raise InputError(f'{where} has the box {detection["bbox"]}; four finite numbers x, y, w, h are expected')


def _is_box(bbox: Any) -> bool:
    try:
        x, y, w, h = bbox
        return w >= 0 and h >= 0 and all(abs(value) < 1e9 for value in (x, y, w, h))
    except (TypeError, ValueError):
        return False


def check_box_file(path: str, found: Annotations) -> Iterator[Problem]:
    """Check a file of detector boxes: its form, its scores, and that every image with labelled people has a box.

    The ids of the images that have boxes are added to ``found``.

    Args:
        path (str): The file, in COCO's result format.
        found (Annotations): The annotation file that it belongs to.
    """
    try:
        boxes = check_detections(path, {image.id for image in found.images})
        of_people = person_boxes(boxes, found.content, path)
    except InputError as error:
        yield Problem('detections', str(error))
        return
    if not boxes:
        yield Problem('detections', f'file of detector boxes {path} has no box: nobody would be evaluated')
    for index, box in enumerate(boxes):
        score = box['score']
        if isinstance(score, bool) or not is_finite(score):
            yield Problem('detection-score', f'{path}: entry {index} has score {score!r:.40}')
        elif not 0 <= score <= 1:
            yield Problem('detection-score-range', f'{path}: entry {index} has score {score:g}')
        if min(box['bbox'][2:]) == 0:
            yield Problem('detection-empty', f'{path}: entry {index} has the box {box["bbox"]}')
    if isinstance(found.content, dict):
        if 'categories' not in found.content:
            yield Problem('detections', f'{path}: the annotation file has no categories, which are read with boxes')
        with_boxes = {box['category_id'] for box in of_people.boxes}
        for category in carried_categories(found.content):
            if boxes and category not in with_boxes:
                yield Problem('detection-category', f'{path}: no box of category {category!r}, which people carry')
    if of_people.left_out:
        yield Problem('detection-category', f'{path}: {of_people.left_out}')
    yield from _check_overlap(of_people.boxes, found)
    with_box = {box['image_id'] for box in of_people.boxes}
    found.box_image_ids |= with_box
    for image_id in found.image_ids_with_people:
        if image_id not in with_box:
            yield Problem('image-without-box', f'image {image_id}')


def _check_overlap(boxes: list[dict[str, Any]], found: Annotations) -> Iterator[Problem]:
    """Check that most labelled people in images with boxes have one that overlaps them."""
    by_image: dict[Any, list] = {}
    for box in boxes:
        by_image.setdefault(box['image_id'], []).append(box['bbox'])
    people = [one for one in found.people if one.used and one.image_id in by_image]
    overlaps = [float(box_iou(_corners([one.box]), _corners(by_image[one.image_id])).max()) for one in people]
    hit = sum(overlap >= OVERLAP for overlap in overlaps)
    if hit < FEW * len(people):
        of_all = f'of {len(people)} labelled people'
        as_corners = sum(_overlaps_a_corner_box(one.box, by_image[one.image_id]) for one in people)
        if as_corners >= FEW * len(people):
            yield Problem(
                'detection-corners', f'{hit} {of_all} have a box; {as_corners} if it is read as x1, y1, x2, y2'
            )
        else:
            yield Problem('detection-overlap', f'{hit} {of_all}')


def _overlaps_a_corner_box(box: Sequence[float], others: list[list[float]]) -> bool:
    """Whether a box x, y, w, h overlaps with one of the others, whose numbers are x1, y1, x2, y2."""
    corners = torch.tensor(others, dtype=torch.float64)
    corners = corners[(corners[:, 2:] > corners[:, :2]).all(1)]
    return bool((box_iou(_corners([box]), corners) >= OVERLAP).any())


def _corners(boxes: list) -> torch.Tensor:
    """(N, 4), xyxy, of boxes x, y, w, h."""
    return box_convert(torch.tensor(boxes, dtype=torch.float64), 'xywh', 'xyxy')
