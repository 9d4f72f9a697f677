"""Write poses as JSON: one file for each input in MMPose's form, and one for all inputs in COCO's form."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from mmengine.structures import InstanceData
from mmpose.structures import PoseDataSample, split_instances

from mmtranspose.files.coco_format import PERSON
from mmtranspose.files.json_files import JsonListFile, to_json, write_json
from mmtranspose.inference.image_ids import ImageIds
from mmtranspose.inference.pipeline import TopdownResult
from mmtranspose.keypoint_names import keypoint_names
from mmtranspose.media import Frame, Video
from mmtranspose.results.output_files import COCO_RESULTS, OutputFiles
from mmtranspose.typing import DatasetMeta, PathLike

MIN_SCORE = 0.2  # keypoints with higher scores count for a person's score, as in MMPose's CocoMetric


def results_dict(image: str, samples: Sequence[PoseDataSample], dataset_meta: DatasetMeta) -> dict:
    """Convert the poses of an image to the form that MMPose's demos write.

    Args:
        image (str): Name of the image.
        samples (Sequence[PoseDataSample]): One sample a person.
        dataset_meta (DatasetMeta): As ``model.dataset_meta``.

    Returns:
        dict: ``meta_info`` (dataset, keypoint names, image) and ``instance_info``, see :func:`instances_of`.
    """
    return dict(meta_info=meta_info(dataset_meta, image=image), instance_info=instances_of(samples))


def meta_info(dataset_meta: DatasetMeta, **of: object) -> dict:
    """The header of a results file: dataset, names of the keypoints, and the facts ``of`` the input."""
    return dict(dataset_name=dataset_meta['dataset_name'], keypoint_names=keypoint_names(dataset_meta), **of)


def instances_of(samples: Sequence[PoseDataSample]) -> list[dict]:
    """Convert poses to the form of MMPose's ``split_instances``.

    Args:
        samples (Sequence[PoseDataSample]): One sample a person.

    Returns:
        list[dict]: One dict a person: ``keypoints`` (K, 2) in pixels of the image, ``keypoint_scores`` (K,), ``bbox``,
        ``bbox_score``, and ``track_id`` of people who are tracked.
    """
    if not samples:
        return []
    people = split_instances(InstanceData.cat([sample.pred_instances for sample in samples]))
    return [person | _track(sample) for person, sample in zip(people, samples, strict=True)]


def coco_results(samples: Sequence[PoseDataSample], **of: object) -> list[dict]:
    """Convert poses to COCO's format of keypoint results.

    Args:
        samples (Sequence[PoseDataSample]): One sample a person.
        of: Further fields of every entry, such as ``image_id``; or another ``category_id``.

    Returns:
        list[dict]: One dict a person: ``category_id`` 1; ``keypoints``, a flat list of x, y and score of each keypoint,
        in pixels of the image; ``score``, the score of the box times the mean of the keypoint scores above 0.2, as in
        MMPose's ``CocoMetric``; ``bbox`` [x, y, w, h]; and ``track_id`` of people who are tracked.
    """
    of = dict(of, category_id=of.get('category_id', PERSON))
    return [of | _coco_person(sample.pred_instances) | _track(sample) for sample in samples]


def _coco_person(person: InstanceData) -> dict:
    scores, (x1, y1, x2, y2) = np.asarray(person.keypoint_scores[0]), (float(value) for value in person.bboxes[0])
    counting = scores[scores > MIN_SCORE]
    keypoints = np.column_stack([person.keypoints[0], scores])
    score = float(person.bbox_scores[0]) * (float(counting.mean()) if len(counting) else 0.0)
    return dict(keypoints=keypoints.ravel().tolist(), score=score, bbox=[x1, y1, x2 - x1, y2 - y1])


def _track(sample: PoseDataSample) -> dict:
    return {'track_id': int(sample.track_id)} if 'track_id' in sample else {}


def coco_people(result: TopdownResult, category_id: int | str = PERSON) -> list[dict]:
    """The people of a frame as entries of ``results_coco.json``, but for their ``image_id``."""
    frame = result.frame
    of: dict[str, object] = dict(file_name=frame.path or frame.name)
    if frame.video is not None:
        of['frame_id'] = frame.index + 1
    return coco_results(result.samples, **of, category_id=category_id)


class CocoFile:
    """Writes ``results_coco.json``, the people of all frames, while they come.

    Args:
        root (PathLike): Folder of the file, which is made with the first frame.
        ids (ImageIds): Gives the people of each frame their ``image_id``.
    """

    def __init__(self, root: PathLike, ids: ImageIds):
        self._path, self._ids = Path(root) / COCO_RESULTS, ids
        self._file: JsonListFile | None = None

    def write(self, frame: Frame, people: Sequence[dict]) -> None:
        """Add the people of a frame, from :func:`coco_people`; call with frames in order."""
        if self._file is None:
            self._file = JsonListFile(self._path)
        image_id = self._ids(frame)
        for person in people:
            self._file.write(dict(image_id=image_id) | person)

    def close(self) -> None:
        """Complete the file."""
        if self._file is not None:
            self._file.close()


class PredictionFiles:
    """Writes poses as JSON while they come, so that memory does not grow with the length of a video.

    The file of an image has the form of :func:`results_dict`. In the file of a video, ``instance_info`` has
    ``frame_id`` (from 1, as in MMPose's demos) and ``instances`` of each frame.

    Args:
        root (PathLike): Folder of ``results_coco.json``.
        dataset_meta (DatasetMeta): As ``model.dataset_meta``.
        ids (ImageIds | None): Gives the entries in COCO's form their ``image_id``; None writes no such entries.
        category_id (int | str): The category of people, which these entries carry.
    """

    def __init__(
        self, root: PathLike, dataset_meta: DatasetMeta, ids: ImageIds | None, category_id: int | str = PERSON
    ):
        self._dataset_meta, self._category_id = dataset_meta, category_id
        self._coco = None if ids is None else CocoFile(root, ids)
        self._video: JsonListFile | None = None

    def write(self, result: TopdownResult, files: OutputFiles) -> None:
        """Add the people of a frame; call with frames in order."""
        frame = result.frame
        if self._coco is not None:
            self._coco.write(frame, coco_people(result, self._category_id))
        if frame.video is not None:
            self._write_frame(result, frame.video, files)
            return
        self._close_video()
        write_json(files.predictions, results_dict(frame.path or frame.name, result.samples, self._dataset_meta))

    def close(self) -> None:
        """Complete the files."""
        self._close_video()
        if self._coco is not None:
            self._coco.close()

    def _write_frame(self, result: TopdownResult, video: Video, files: OutputFiles) -> None:
        if self._video is None or self._video.path != files.predictions:
            self._close_video()
            meta = meta_info(self._dataset_meta, video=video.name, fps=float(video.rate), size=list(video.size))
            before = f'{{"meta_info": {to_json(meta)},\n"instance_info": ['
            self._video = JsonListFile(files.predictions, before, ']}')
        self._video.write(dict(frame_id=result.frame.index + 1, instances=instances_of(result.samples)))

    def _close_video(self) -> None:
        if self._video is not None:
            self._video.close()
            self._video = None
