"""What the evaluation reads: areas, and files of detector boxes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mmengine.config import Config
from mmpose.evaluation import CocoMetric
from mmpose.registry import METRICS

from mmtranspose.dataset_check.annotation_file import Annotations
from mmtranspose.dataset_check.config_datasets import Source
from mmtranspose.dataset_check.problems import Problem
from mmtranspose.errors import InputError
from mmtranspose.files.json_files import read_json
from mmtranspose.loading.data_files import check_detections


def check_areas(cfg: Config, source: Source, found: Annotations) -> Iterator[Problem]:
    """``CocoMetric`` divides by the area of every annotation, dropped or not, of an image with predictions."""
    if any(_reads_area(metric, source.file) for metric in _metrics(cfg, source.splits)):
        predicted = set(found.images_with_people)
        for id, image_id in found.without_area:
            if image_id in predicted:
                yield Problem('area-missing', f'annotation {id}')


def _metrics(cfg: Config, splits: list[str]) -> Iterator[dict]:
    for split in splits:
        evaluator = cfg.get(f'{split}_evaluator') or []
        yield from [evaluator] if isinstance(evaluator, dict) else evaluator


def _reads_area(metric: dict, file: str) -> bool:
    kind = metric.get('type')
    kind = METRICS.get(kind) if isinstance(kind, str) else kind
    if not isinstance(kind, type) or not issubclass(kind, CocoMetric):
        return False
    other = metric.get('ann_file') and Path(metric['ann_file']).resolve() != Path(file).resolve()
    return metric.get('use_area', True) and not metric.get('format_only') and not other


PERSON = 1
"""The category_id that MMPose takes boxes of, and no other."""


def check_box_file(path: str, found: Annotations) -> Iterator[Problem]:
    """The format, the scores, and that labelled people's images have boxes."""
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
    for image_id in found.images_with_people:
        if image_id not in seen:
            yield Problem('image-without-box', f'image {image_id}')
