"""Give the same person the same number from frame to frame."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from mmengine.structures import InstanceData
from mmpose.structures import PoseDataSample

from mmtranspose.compat.upstream import track_by_oks
from mmtranspose.media import Frame, Video

OKS_THR = 0.3  # MMPose's default in its demos
FORGOTTEN_AFTER = 10  # frames


class Tracker:
    """Numbers people by MMPose's greedy matching of poses between frames (OKS): ``track_id``, from 0 on.

    People who were not seen for more than :data:`FORGOTTEN_AFTER` frames get a new number. Numbers start again from 0
    in a new video.

    Args:
        sigmas (Sequence[float]): OKS sigmas of the K keypoints, as ``dataset_meta['sigmas']``.
    """

    def __init__(self, sigmas: Sequence[float]):
        self.sigmas = np.asarray(sigmas)
        self._video: Video | None = None
        self._last = -1
        self._reset()

    def _reset(self) -> None:
        self._known: list[PoseDataSample] = []
        self._seen: dict[int, int] = {}  # number of a track: last frame
        self._next = 0

    def __call__(self, frame: Frame, samples: Sequence[PoseDataSample]) -> None:
        """Set ``track_id`` of the people in a frame, boxes of high score first; call with frames in order."""
        if frame.video != self._video or frame.index <= self._last:
            self._reset()
        self._video, self._last = frame.video, frame.index
        known = [track for track in self._known if frame.index - self._seen[track.track_id] <= FORGOTTEN_AFTER]
        found = []
        for sample in sorted(samples, key=lambda sample: -float(sample.pred_instances.bbox_scores[0])):
            track = _with_area(sample)
            number, known = track_by_oks(track, known, OKS_THR, self.sigmas)
            track.track_id = self._new() if number < 0 else number
            self._seen[track.track_id] = frame.index
            sample.track_id = track.track_id
            found.append(track)
        self._known = found + known
        self._seen = {track.track_id: self._seen[track.track_id] for track in self._known}

    def _new(self) -> int:
        self._next += 1
        return self._next - 1


def _with_area(sample: PoseDataSample) -> PoseDataSample:
    """A sample of what the matching needs: keypoints, scores and the area of the box."""
    people = sample.pred_instances
    x1, y1, x2, y2 = people.bboxes[0]
    area = np.array([max((x2 - x1) * (y2 - y1), 1.0)])
    instances = InstanceData(keypoints=people.keypoints, keypoint_scores=people.keypoint_scores, areas=area)
    return PoseDataSample(pred_instances=instances)
