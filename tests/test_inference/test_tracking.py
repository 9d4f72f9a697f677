"""Numbers that people keep from frame to frame."""

from fractions import Fraction

import numpy as np
import pytest
from mmengine.structures import InstanceData
from mmpose.structures import PoseDataSample

from mmtranspose.inference.tracking import FORGOTTEN_AFTER, Tracker
from mmtranspose.media import Frame, Video

SIGMAS = [0.05] * 5
VIDEO = Video('clip.mp4', Fraction(25), (640, 480), None)
POSE = np.array([[0, 0], [20, 0], [0, 50], [20, 50], [10, 90]], float)


def frame(index, video=VIDEO):
    return Frame(np.zeros((1, 1, 3), np.uint8), 'f', index, None, video)


def person(x, y, score=0.9):
    points = (POSE + np.array([x, y]))[None]
    box = np.array([[*points[0].min(0), *points[0].max(0)]])
    instances = InstanceData(
        keypoints=points, keypoint_scores=np.ones((1, 5)), bboxes=box, bbox_scores=np.array([score])
    )
    return PoseDataSample(pred_instances=instances)


def numbers(tracker, index, *places, video=VIDEO, scores=None):
    samples = [person(x, y, 0.9 if scores is None else scores[i]) for i, (x, y) in enumerate(places)]
    tracker(frame(index, video), samples)
    return [sample.track_id for sample in samples]


@pytest.fixture
def tracker():
    return Tracker(SIGMAS)


def test_people_who_move_and_swap_places_in_the_list(tracker):
    assert numbers(tracker, 0, (0, 0), (300, 0)) == [0, 1]
    assert numbers(tracker, 1, (296, 2), (4, 1)) == [1, 0]


def test_somebody_new(tracker):
    numbers(tracker, 0, (0, 0))
    assert numbers(tracker, 1, (500, 200), (2, 0)) == [1, 0]


def test_missed_for_a_while(tracker):
    numbers(tracker, 0, (0, 0), (300, 0))
    for index in range(1, FORGOTTEN_AFTER):
        assert numbers(tracker, index, (300, 0)) == [1]
    assert numbers(tracker, FORGOTTEN_AFTER, (0, 0), (300, 0)) == [0, 1]


def test_forgotten_after_that(tracker):
    numbers(tracker, 0, (0, 0))
    assert numbers(tracker, FORGOTTEN_AFTER + 1, (0, 0)) == [1]


def test_the_surest_box_chooses_first(tracker):
    numbers(tracker, 0, (0, 0))
    assert numbers(tracker, 1, (1, 0), (2, 0), scores=[0.3, 0.8]) == [1, 0]


def test_anew_in_another_video(tracker):
    numbers(tracker, 0, (0, 0), (300, 0))
    other = Video('other.mp4', Fraction(25), (640, 480), None)
    assert numbers(tracker, 0, (300, 0), video=other) == [0]


def test_holds_only_whom_it_may_meet_again(tracker):
    for index in range(100):
        numbers(tracker, index, (1000 * index, 0))
    assert len(tracker._known) <= FORGOTTEN_AFTER + 1 and len(tracker._seen) == len(tracker._known)


def test_nobody(tracker):
    numbers(tracker, 0, (0, 0))
    assert numbers(tracker, 1) == []
    assert numbers(tracker, 2, (0, 0)) == [0]
