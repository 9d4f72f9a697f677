"""What MMPose itself makes of a config's data, without any check of ours: an oracle for the judge of data.

The network is replaced by a prediction that is wrong by a fixed, seeded share of the person's size, so that AP depends
on areas, boxes, sigmas and categories, and two files that are evaluated alike have one AP.
"""

from __future__ import annotations

import contextlib
import io
from typing import Any

import numpy as np
from mmengine.config import ConfigDict
from mmengine.dataset import pseudo_collate
from mmengine.logging import MessageHub
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData
from mmpose.registry import DATASETS, METRICS

STOPS = 'stops'


def trained_on(dataset: ConfigDict) -> str | list:
    """The samples that training gets, as ``(image file, heatmaps, weights, image)`` rounded; ``'stops: ...'``."""
    try:
        built = _quietly(DATASETS.build, dataset)
        samples = [built[index] for index in range(len(built))]
        if not samples:
            return f'{STOPS}: nobody'
        if not all(np.isfinite(_targets(sample)).all() for sample in samples):
            return f'{STOPS}: not finite'
        return sorted((_summary(sample) for sample in samples), key=str)
    except Exception as error:  # whatever a mutant makes MMPose raise
        return f'{STOPS}: {type(error).__name__}: {error}'


def _targets(sample: dict) -> np.ndarray:
    samples = sample['data_samples']
    labels = samples.gt_instance_labels
    fields = samples.gt_fields.heatmaps if 'gt_fields' in samples else labels.keypoint_x_labels
    return np.concatenate([np.ravel(fields), np.ravel(labels.keypoint_weights), np.ravel(sample['inputs'].float())])


def _summary(sample: dict) -> tuple:
    values = _targets(sample).astype(np.float64)
    name = sample['data_samples'].img_path.replace('\\', '/').split('/')[-1]
    return name, round(float(values.sum()), 1), round(float((values**2).sum() ** 0.5), 1)


def evaluated_on(dataset: ConfigDict, evaluator: dict, truth: dict[tuple, np.ndarray]) -> str | dict[str, float]:
    """The metrics of predictions near the truth; ``'stops: ...'`` if MMPose does.

    Args:
        dataset (ConfigDict): The dataset of val.
        evaluator (dict): A metric.
        truth (dict): The true keypoints (K, 2), in pixels of the image, by image file and number in the image.
    """
    try:
        built = _quietly(DATASETS.build, dataset)
        metric = METRICS.build(evaluator)
        _quietly(setattr, metric, 'dataset_meta', built.metainfo)
        for index in range(len(built)):
            batch = pseudo_collate([built[index]])
            sample = batch['data_samples'][0]
            sample.pred_instances = _prediction(sample, truth)
            _quietly(metric.process, batch, [sample.to_dict()])
        return {name: round(float(value), 6) for name, value in _quietly(metric.evaluate, len(built)).items()}
    except Exception as error:  # whatever a mutant makes MMPose raise
        return f'{STOPS}: {type(error).__name__}: {error}'


def _prediction(sample: Any, truth: dict[tuple, np.ndarray]) -> InstanceData:
    name = sample.img_path.replace('\\', '/').split('/')[-1]
    box = sample.gt_instances.bboxes[0]
    people = {key: points for key, points in truth.items() if key[0] == name}
    centre = (box[:2] + box[2:]) / 2
    key = min(people, key=lambda one: float(np.abs(people[one].mean(0) - centre).sum()))
    points = people[key]
    rng = np.random.default_rng(sum(map(ord, name)) + key[1])
    spread = rng.normal(0, 0.035, points.shape) * np.ptp(points, axis=0).max()
    instances = InstanceData()
    instances.keypoints = (points + spread)[None].astype(np.float32)
    instances.keypoint_scores = np.ones((1, len(points)), np.float32)
    instances.bboxes = sample.gt_instances.bboxes
    instances.bbox_scores = sample.gt_instances.bbox_scores
    return instances


def _quietly(function: Any, *args: Any) -> Any:
    init_default_scope('mmpose')
    with contextlib.redirect_stdout(io.StringIO()):
        return function(*args)


def forget() -> None:
    """Forget which annotation file belongs to a dataset's name, which MMPose keeps for its metrics."""
    MessageHub.get_current_instance().runtime_info.clear()
