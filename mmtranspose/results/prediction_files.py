"""Poses as JSON: a file for each input in MMPose's form, and one for all in COCO's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from mmengine.structures import InstanceData
from mmpose.structures import PoseDataSample, split_instances

from mmtranspose.files.json_files import JsonListFile, to_json, write_json
from mmtranspose.inference.image_ids import ImageIds
from mmtranspose.inference.pipeline import TopdownResult
from mmtranspose.results.output_files import COCO_RESULTS, OutputFiles

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


class PredictionFiles:
    """Writes what was found, as it comes; of a long video, too, nothing is kept in memory.

    An image's file has the form of :func:`results_dict`; a video's ``instance_info`` has
    for each frame ``frame_id``, from 1 on as in MMPose's demos, and ``instances``.

    Args:
        root (str | Path): Folder of ``results_coco.json``.
        dataset_meta (dict): As ``model.dataset_meta``.
        ids (ImageIds): Of the entries in COCO's form.
    """

    def __init__(self, root: str | Path, dataset_meta: dict, ids: ImageIds):
        self._root, self._dataset_meta, self._ids = Path(root), dataset_meta, ids
        self._coco: JsonListFile | None = None
        self._video: JsonListFile | None = None

    def write(self, result: TopdownResult, files: OutputFiles) -> None:
        """Add a frame's people; frames come in order."""
        if self._coco is None:
            self._coco = JsonListFile(self._root / COCO_RESULTS)
        frame = result.frame
        of = dict(image_id=self._ids(frame), file_name=frame.path or frame.name)
        if frame.video is not None:
            of['frame_id'] = frame.index + 1
        for entry in coco_results(result.samples, **of):
            self._coco.write(entry)
        if frame.video is not None:
            self._write_frame(result, files)
            return
        self._close_video()
        write_json(files.predictions, results_dict(frame.path or frame.name, result.samples, self._dataset_meta))

    def close(self) -> None:
        """Complete the files."""
        self._close_video()
        if self._coco is not None:
            self._coco.close()

    def _write_frame(self, result: TopdownResult, files: OutputFiles) -> None:
        if self._video is None or self._video.path != files.predictions:
            self._close_video()
            video = result.frame.video
            meta = meta_info(self._dataset_meta, video=video.name, fps=float(video.rate), size=list(video.size))
            before = f'{{"meta_info": {to_json(meta)},\n"instance_info": ['
            self._video = JsonListFile(files.predictions, before, ']}')
        self._video.write(dict(frame_id=result.frame.index + 1, instances=instances_of(result.samples)))

    def _close_video(self) -> None:
        if self._video is not None:
            self._video.close()
            self._video = None
