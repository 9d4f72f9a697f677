"""Poses as JSON, in MMPose's form and in COCO's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from mmengine.structures import InstanceData
from mmpose.structures import PoseDataSample, split_instances

SURE = 0.2  # keypoints with higher scores count in a person's, as in MMPose's CocoMetric


def results_dict(image: str, samples: Sequence[PoseDataSample], dataset_meta: dict) -> dict:
    """Poses of an image in the form of MMPose's demos.

    Args:
        image (str): The image's name.
        samples (Sequence[PoseDataSample]): One a person.
        dataset_meta (dict): As ``model.dataset_meta``.

    Returns:
        dict: ``meta_info`` (dataset, keypoint names, image), ``instance_info``: see :func:`instances_of`.
    """
    return dict(meta_info=meta_info(dataset_meta, image=image), instance_info=instances_of(samples))


def meta_info(dataset_meta: dict, **of: object) -> dict:
    """What results are of: dataset, names of the keypoints, and ``of``."""
    names = [dataset_meta['keypoint_id2name'][k] for k in range(dataset_meta['num_keypoints'])]
    return dict(dataset_name=dataset_meta['dataset_name'], keypoint_names=names, **of)


def instances_of(samples: Sequence[PoseDataSample]) -> list[dict]:
    """Poses as MMPose's ``split_instances`` has them.

    Args:
        samples (Sequence[PoseDataSample]): One a person.

    Returns:
        list[dict]: One a person: ``keypoints`` (K, 2) in image pixels, ``keypoint_scores`` (K,), ``bbox`` and
        ``bbox_score``; and ``track_id`` of those who have one.
    """
    if not samples:
        return []
    people = split_instances(InstanceData.cat([sample.pred_instances for sample in samples]))
    return [person | _track(sample) for person, sample in zip(people, samples, strict=True)]


def coco_results(samples: Sequence[PoseDataSample], **of: object) -> list[dict]:
    """Poses in COCO's format of keypoint results.

    Args:
        samples (Sequence[PoseDataSample]): One a person.
        of: What every entry holds besides: ``image_id`` above all.

    Returns:
        list[dict]: One a person: ``category_id`` 1, ``keypoints`` [x, y, score] * K, flat, in image pixels;
        ``score``, that of the box times the mean of the keypoints' above 0.2, as MMPose's ``CocoMetric`` has it;
        ``bbox`` [x, y, w, h]; and ``track_id`` of those who have one.
    """
    return [dict(of, category_id=1) | _coco_person(sample.pred_instances) | _track(sample) for sample in samples]


def _coco_person(person: InstanceData) -> dict:
    scores, (x1, y1, x2, y2) = np.asarray(person.keypoint_scores[0]), (float(value) for value in person.bboxes[0])
    sure = scores[scores > SURE]
    keypoints = np.column_stack([person.keypoints[0], scores])
    score = float(person.bbox_scores[0]) * (float(sure.mean()) if len(sure) else 0.0)
    return dict(keypoints=keypoints.ravel().tolist(), score=score, bbox=[x1, y1, x2 - x1, y2 - y1])


def _track(sample: PoseDataSample) -> dict:
    return {'track_id': int(sample.track_id)} if 'track_id' in sample else {}
