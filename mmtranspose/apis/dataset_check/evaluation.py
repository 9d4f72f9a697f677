"""Whether the annotations hold what the config's evaluators read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mmengine.config import Config
from mmpose.evaluation import CocoMetric
from mmpose.registry import METRICS

from mmtranspose.apis.dataset_check.annotations import Annotations
from mmtranspose.apis.dataset_check.problems import Problem
from mmtranspose.apis.dataset_check.sources import Source


def check_areas(cfg: Config, source: Source, found: Annotations) -> Iterator[Problem]:
    """``CocoMetric`` divides by the area of every annotation, dropped or not, of a picture with predictions."""
    if any(_reads_area(metric, source.file) for metric in _metrics(cfg, source.splits)):
        predicted = set(found.pictures_with_people)
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
