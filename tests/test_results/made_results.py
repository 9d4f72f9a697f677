"""Results of a pipeline, made up: frames with people whose keypoints are random."""

from fractions import Fraction

import numpy as np
from mmengine.structures import InstanceData
from mmpose.datasets.datasets.utils import parse_pose_metainfo
from mmpose.structures import PoseDataSample

from mmtranspose.inference import TopdownResult
from mmtranspose.media import Frame, Video

META = parse_pose_metainfo(dict(from_file='configs/_base_/datasets/coco.py'))
RATE = Fraction(30000, 1001)


def person(seed, track_id=None):
    random = np.random.default_rng(seed)
    keypoints = random.uniform(0, 60, (1, 17, 2)).astype(np.float32)
    scores = random.uniform(0, 1, (1, 17)).astype(np.float32)
    box = np.array([[3, 5, 40, 45.5]], np.float32) + seed
    people = InstanceData(keypoints=keypoints, keypoint_scores=scores, bboxes=box, bbox_scores=np.float32([0.75]))
    sample = PoseDataSample(pred_instances=people)
    if track_id is not None:
        sample.track_id = track_id
    return sample


def result(frame, *seeds, tracks=False):
    return TopdownResult(frame, [person(seed, 10 + seed if tracks else None) for seed in seeds])


def still(path, index=0, size=(48, 64)):
    return Frame(np.full((*size, 3), 90, np.uint8), str(path), index, str(path), None)


def frames(name, indices, size=(64, 48), live=False):
    video = Video(name, RATE, size, None, live)
    return [
        Frame(np.full((size[1], size[0], 3), 20 * index % 256, np.uint8), f'{name}, frame {index}', index, name, video)
        for index in indices
    ]
