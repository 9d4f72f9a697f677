"""Check what evaluation reads besides keypoints: areas of annotations, and files of detector boxes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import cast

from mmengine.config import Config
from mmpose.evaluation import CocoMetric
from mmpose.registry import METRICS

from mmtranspose.dataset_check.annotations import Annotations
from mmtranspose.dataset_check.config_datasets import ConfigDataset
from mmtranspose.dataset_check.problems import Problem
from mmtranspose.errors import InputError
from mmtranspose.files.json_files import read_json
from mmtranspose.loading.data_files import check_detections

PERSON = 1  # MMPose takes detector boxes of this category_id, and no other


def check_areas(cfg: Config, dataset: ConfigDataset, found: Annotations) -> Iterator[Problem]:
    """Check that annotations have an area where ``CocoMetric`` divides by it.

    It does so for every annotation, dropped by MMPose or not, of an image with predictions.
    """
    if any(_reads_area(metric, dataset.ann_file) for metric in _metrics(cfg, dataset.splits)):
        predicted = set(found.image_ids_with_people)
        for id, image_id in found.without_area:
            if image_id in predicted:
                yield Problem('area-missing', f'annotation {id}')


def _metrics(cfg: Config, splits: list[str]) -> Iterator[dict]:
    for split in splits:
        evaluator = cfg.get(f'{split}_evaluator') or []
        yield from [evaluator] if isinstance(evaluator, dict) else evaluator


def _reads_area(metric: dict, ann_file: str) -> bool:
    kind = metric.get('type')
    kind = METRICS.get(kind) if isinstance(kind, str) else kind
    if not isinstance(kind, type) or not issubclass(kind, CocoMetric):
        return False
    own_file = metric.get('ann_file')
    if own_file and Path(own_file).resolve() != Path(ann_file).resolve():
        return False
    return bool(metric.get('use_area', True) and not metric.get('format_only'))


def check_box_file(path: str, found: Annotations) -> Iterator[Problem]:
    """Check a file of detector boxes: its format, its scores, and that every image with labelled people has a box.

    Args:
        path (str): The file, in COCO's result format.
        found (Annotations): The annotation file that it belongs to.
    """
    try:
        check_detections(path, {image.id for image in found.images})
    except InputError as error:
        yield Problem('detections', str(error))
        return
    boxes = cast(list[dict], read_json(Path(path), 'file of detector boxes'))
    for index, box in enumerate(boxes):
        score = box['score']
        if not isinstance(score, (int, float)) or not 0 <= score <= 1:
            yield Problem('detection-score', f'{path}: entry {index} has score {score!r:.40}')
    categories = {box['category_id'] for box in boxes}
    if PERSON not in categories:
        yield Problem('detection-category', f'{path}: categories {sorted(categories, key=str)}')
        return
    with_box = {box['image_id'] for box in boxes if box['category_id'] == PERSON}
    for image_id in found.image_ids_with_people:
        if image_id not in with_box:
            yield Problem('image-without-box', f'image {image_id}')
