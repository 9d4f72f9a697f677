"""Try the metrics of an evaluation on its first samples, so that what they lack is said before training."""

from __future__ import annotations

import contextlib
import copy
import io
import logging
from collections.abc import Iterator
from typing import Any

import numpy as np
from mmengine.config import Config
from mmengine.evaluator import BaseMetric, DumpResults, Evaluator
from mmengine.logging import MMLogger
from mmengine.structures import InstanceData
from mmpose.evaluation.metrics import CocoMetric
from mmpose.structures import PoseDataSample

from mmtranspose.engine.config_fields import mistake
from mmtranspose.errors import reason

OF_SAMPLES = (AssertionError, AttributeError, IndexError, KeyError, TypeError, ValueError, ZeroDivisionError)
KNOWN = ('mmpose.', 'mmtranspose.')


def check_metrics(cfg: Config, split: str, evaluator: Any, samples: list[dict]) -> None:
    """Compute every metric of MMPose's or ours with the ground truth as prediction.

    ``CocoMetric`` and its like are left out: they read the whole annotation file, which the check of the data has
    looked at. Metrics of others are left out too: they may need more than a sample tells.

    Args:
        cfg (Config): The config.
        split (str): ``'val'`` or ``'test'``.
        evaluator (Evaluator): Its evaluator; nothing is added to its results.
        samples (list[dict]): The first samples of its dataset, with ``data_samples``.

    Raises:
        InputError: A metric needs something that the samples lack.
    """
    predicted = [_with_prediction(sample['data_samples']) for sample in samples]
    if type(evaluator) is not Evaluator or None in predicted:
        return
    for metric in evaluator.metrics:
        if isinstance(metric, (CocoMetric, DumpResults)) or not type(metric).__module__.startswith(KNOWN):
            continue
        try:
            _compute(metric, samples, predicted)
        except OF_SAMPLES as error:
            named = isinstance(error, KeyError) and ' ' not in str(error.args[0])
            why = f'it needs {error} in the samples' if named else reason(Exception(*error.args))
            text = f'{type(metric).__name__} cannot be computed on {split}_dataloader: {why}'
            raise mistake(cfg, f'{split}_evaluator', text) from error


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
    metric = copy.copy(metric)
    metric.results = []
    with _quiet(), np.errstate(all='ignore'):
        metric.process(samples, [sample.to_dict() for sample in predicted])
        metric.compute_metrics(metric.results)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Print and log nothing."""
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logger.setLevel(level)
