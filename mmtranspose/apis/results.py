"""Results as JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from mmengine.fileio import put_text
from mmpose.structures import PoseDataSample, merge_data_samples, split_instances

from mmtranspose.errors import InputError


def results_dict(image: str, samples: Sequence[PoseDataSample], dataset_meta: dict) -> dict:
    """Poses of a picture in the form of MMPose's demos.

    Args:
        image (str): The picture's name.
        samples (Sequence[PoseDataSample]): One a person.
        dataset_meta (dict): As ``model.dataset_meta``.

    Returns:
        dict: ``meta_info`` (data set, keypoint names, picture), ``instance_info``: a dict a person with ``keypoints``
        (K, 2) in image pixels, ``keypoint_scores`` (K,), ``bbox`` and ``bbox_score``.
    """
    names = [dataset_meta['keypoint_id2name'][k] for k in range(dataset_meta['num_keypoints'])]
    meta = dict(dataset_name=dataset_meta['dataset_name'], keypoint_names=names, image=image)
    people = split_instances(merge_data_samples(list(samples)).pred_instances) if samples else []
    return dict(meta_info=meta, instance_info=people)


def write_json(path: str | Path, content: dict) -> None:
    """Write a JSON file: beside it first, then renamed."""
    put_text(json.dumps(content, indent=1, default=float), str(path))


def require_writable(root: str | Path) -> None:
    """Check that a folder can be written to, or made; nothing is made yet.

    Raises:
        InputError: It cannot.
    """
    existing = next(path for path in (Path(root), *Path(root).absolute().parents) if path.exists())
    if not existing.is_dir():
        raise InputError(f'--output-root {root}: {existing} is a file, not a folder; choose another')
    if not os.access(existing, os.W_OK | os.X_OK):
        raise InputError(f'--output-root {root}: {existing} cannot be written to; choose another folder')
