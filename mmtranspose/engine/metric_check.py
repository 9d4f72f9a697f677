"""Try the metrics of an evaluation on its first samples, so that what they lack is said before training."""

from __future__ import annotations

import contextlib
import copy
import logging
from collections.abc import Iterator
from typing import Any

import numpy as np
from mmengine.config import Config
from mmengine.evaluator import BaseMetric, DumpResults
from mmengine.logging import MMLogger, print_log
from mmengine.structures import InstanceData
from mmpose.evaluation import MultiDatasetEvaluator
from mmpose.evaluation.metrics import CocoMetric, KeypointPartitionMetric, PCKAccuracy
from mmpose.structures import PoseDataSample

from mmtranspose.compat.prints import without_prints
from mmtranspose.engine.config_fields import mistake
from mmtranspose.engine.metric_names import EVALUATORS
from mmtranspose.errors import reason
from mmtranspose.keypoint_names import keypoint_names
from mmtranspose_cli.terminal import printable

OF_SAMPLES = (AssertionError, AttributeError, IndexError, KeyError, TypeError, ValueError, ZeroDivisionError)
KNOWN = ('mmpose.', 'mmtranspose.')
TORSO = range(4, 6)  # keypoints between which PCKAccuracy measures the torso: those of JHMDB


def check_metrics(cfg: Config, split: str, evaluator: Any, samples: list[dict]) -> None:
    """Compute every metric of MMPose's or ours with the ground truth as prediction.

    ``CocoMetric`` and its like are left out: they read the whole annotation file, which the check of the data has
    looked at. Metrics of others are left out too: they may need more than a sample tells.

    Args:
        cfg (Config): The config.
        split (str): ``'val'`` or ``'test'``.
        evaluator (Evaluator): Its evaluator; nothing is added to its results.
        samples (list[dict]): The first samples of each of its datasets, with ``data_samples``.

    Raises:
        InputError: A metric needs something that the samples lack, or gets no samples.
    """
    predicted = {id(sample): _with_prediction(sample['data_samples']) for sample in samples}
    if type(evaluator) not in EVALUATORS or None in predicted.values():
        return
    for metric, given in _given(cfg, split, evaluator, samples):
        if isinstance(metric, (CocoMetric, DumpResults)) or not type(metric).__module__.startswith(KNOWN):
            continue
        _check_truth(cfg, split, metric, given)
        _check_torso(cfg, split, metric)
        if isinstance(metric, KeypointPartitionMetric):
            _check_partitions(cfg, split, metric)
        try:
            _compute(metric, given, [predicted[id(sample)] for sample in given])
        except OF_SAMPLES as error:
            named = isinstance(error, KeyError) and ' ' not in str(error.args[0])
            why = f'it needs {error} in the samples' if named else reason(Exception(*error.args))
            text = f'{type(metric).__name__} cannot be computed on {split}_dataloader: {why}'
            raise mistake(cfg, f'{split}_evaluator', text) from error


def _given(cfg: Config, split: str, evaluator: Any, samples: list[dict]) -> Iterator[tuple[BaseMetric, list[dict]]]:
    """The metrics, and the samples that each gets: ``MultiDatasetEvaluator`` tells these by the name of the dataset.

    Raises:
        InputError: A metric gets none.
    """
    if not isinstance(evaluator, MultiDatasetEvaluator):
        yield from ((metric, samples) for metric in evaluator.metrics)
        return
    metrics, field = evaluator.metrics_dict, f'{split}_evaluator.datasets'
    if len(metrics) < len(evaluator.metrics):
        text = f'several have the same name, by which a sample finds its metric; the names are {", ".join(metrics)}'
        raise mistake(cfg, field, text)
    own = (evaluator.dataset_meta or {}).get('dataset_name')
    by_name: dict[Any, list[dict]] = {}
    for sample in samples:
        by_name.setdefault(sample['data_samples'].get('dataset_name', own), []).append(sample)
    there, known = (', '.join(map(repr, names)) for names in (by_name, metrics))
    for name in metrics:
        if name not in by_name:
            text = f'no sample of {split}_dataloader is of {name!r}, as MMPose calls the dataset; they are of {there}'
            raise mistake(cfg, field, text)
    for name in by_name:
        if name not in metrics:
            message = f'{field}: samples of {name!r} are not evaluated; there are metrics for {known}'
            print_log(printable(message), 'current', logging.WARNING)
    yield from ((metric, by_name[name]) for name, metric in metrics.items())


def _check_truth(cfg: Config, split: str, metric: BaseMetric, samples: list[dict]) -> None:
    """Check that samples are labelled: those of detected boxes have visible keypoints at (0, 0)."""
    for sample in samples:
        truth = sample['data_samples'].gt_instances
        visible = np.asarray(truth.get('keypoints_visible', 0))
        if visible.size and visible.all() and not np.any(truth.keypoints):
            text = f'{type(metric).__name__} needs labelled keypoints, and detected boxes have none; set bbox_file=None'
            raise mistake(cfg, f'{split}_dataloader.dataset', text)


def _check_torso(cfg: Config, split: str, metric: BaseMetric) -> None:
    """Check that lengths of the torso are measured from a shoulder to the opposite hip."""
    names = keypoint_names(metric.dataset_meta or {})
    for part, inner in getattr(metric, 'metrics', {'': metric}).items():
        if not isinstance(inner, PCKAccuracy) or 'torso' not in inner.norm_item:
            continue
        of_part = [names[k] for k in metric.partitions[part]] if part else names
        ends = [name.lower() for name in of_part[TORSO.start : TORSO.stop]]
        sides = {side for side in ('left', 'right') for name in ends if side in name}
        if len(sides) < 2 or not all(any(joint in name for name in ends) for joint in ('shoulder', 'hip')):
            text = (
                f"norm_item='torso' of {type(inner).__name__} is the distance of keypoints 4 and 5, a shoulder and a "
                f'hip in JHMDB alone, here {" and ".join(ends) or "nothing"}; use TorsoPCK'
            )
            raise mistake(cfg, f'{split}_evaluator', text)


def _check_partitions(cfg: Config, split: str, metric: KeypointPartitionMetric) -> None:
    """Check that parts are not compared with the whole annotations, which ``CocoMetric`` of MMPose 1.3.2 reads."""
    for part, inner in metric.metrics.items():
        if isinstance(inner, CocoMetric) and inner.coco is not None:
            text = (
                f'CocoMetric cannot be split into parts such as {part!r}: it reads whole annotations from a file; use '
                'PCKAccuracy, AUC, EPE or NME in KeypointPartitionMetric'
            )
            raise mistake(cfg, f'{split}_evaluator', text)


def _with_prediction(sample: Any) -> PoseDataSample | None:
    """A copy of a sample with its ground truth as the prediction; None if it is no pose with boxes."""
    instances = sample.get('gt_instances') if isinstance(sample, PoseDataSample) else None
    if instances is None or 'keypoints' not in instances:
        return None
    sample = copy.deepcopy(sample)
    keypoints = np.asarray(instances.keypoints, np.float32)
    predicted = InstanceData(keypoints=keypoints, keypoint_scores=np.ones(keypoints.shape[:2], np.float32))
    for name in ('bboxes', 'bbox_scores'):
        if name in instances:
            predicted[name] = instances[name]
    sample.pred_instances = predicted
    return sample


def _compute(metric: BaseMetric, samples: list[dict], predicted: list) -> None:
    metric = _empty_copy(metric)
    with _quiet(), np.errstate(all='ignore'):
        metric.process(samples, [sample.to_dict() for sample in predicted])
        for one in getattr(metric, 'metrics', {'': metric}).values():
            one.compute_metrics(one.results)


def _empty_copy(metric: BaseMetric) -> BaseMetric:
    """A copy of a metric with results of its own, as those of its parts."""
    metric = copy.copy(metric)
    metric.results = []
    if isinstance(metric, KeypointPartitionMetric):
        metric.metrics = {part: _empty_copy(inner) for part, inner in metric.metrics.items()}
    return metric


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Print and log nothing."""
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with without_prints():
            yield
    finally:
        logger.setLevel(level)
