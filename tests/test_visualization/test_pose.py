"""Poses over pictures: colours where joints are, and nothing elsewhere."""

import numpy as np
import pytest
from mmengine.structures import InstanceData
from mmpose.datasets.datasets.utils import parse_pose_metainfo
from mmpose.structures import PoseDataSample

from mmtranspose.visualization import draw_poses

META = parse_pose_metainfo(dict(from_file='configs/_base_/datasets/coco.py'))
NOSE, LEFT_WRIST, RIGHT_WRIST = 0, 9, 10


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(60, 90, (200, 160, 3), dtype=np.uint8)


def person(visible, score=0.9, box=(20, 20, 140, 180)):
    """A person with all joints at (5, 5) and score 0, but those in ``visible``: joint to (x, y)."""
    keypoints, scores = np.full((1, 17, 2), 5.0), np.zeros((1, 17))
    for joint, point in visible.items():
        keypoints[0, joint], scores[0, joint] = point, score
    return PoseDataSample(
        pred_instances=InstanceData(
            keypoints=keypoints,
            keypoint_scores=scores,
            keypoints_visible=scores,
            bboxes=np.array([box], np.float32),
            bbox_scores=np.ones(1),
        )
    )


def changed(before, after):
    """(x, y) of the pixels that differ."""
    return np.argwhere((before != after).any(-1))[:, ::-1]


def test_a_joint_has_its_colour(image):
    drawn = draw_poses(image, [person({LEFT_WRIST: (40, 50), RIGHT_WRIST: (100, 120)})], META, radius=4)
    for joint, (x, y) in ((LEFT_WRIST, (40, 50)), (RIGHT_WRIST, (100, 120))):
        assert drawn[y, x].tolist() == list(META['keypoint_colors'][joint])[::-1]  # BGR
    assert META['keypoint_colors'][LEFT_WRIST].tolist() != META['keypoint_colors'][RIGHT_WRIST].tolist()


def test_only_the_joints_are_drawn(image):
    drawn = draw_poses(image, [person({LEFT_WRIST: (40, 50)})], META, radius=4)
    assert drawn.dtype == np.uint8 and drawn.shape == image.shape and drawn.flags['C_CONTIGUOUS']
    places = changed(image, drawn)
    assert 20 < len(places) < 120
    assert np.abs(places - (40, 50)).max() <= 6


def test_a_limb_joins_its_joints(image):
    elbow, wrist = (40, 60), (80, 60)
    drawn = draw_poses(image, [person({7: elbow, 9: wrist})], META, radius=3, thickness=2)
    limb = META['skeleton_links'].index((7, 9))
    assert drawn[60, 60].tolist() == list(META['skeleton_link_colors'][limb])[::-1]
    assert np.ptp(changed(image, drawn)[:, 1]) < 12


def test_joints_below_the_threshold_are_left_out(image):
    sample = [person({LEFT_WRIST: (40, 50)}, score=0.4)]
    assert len(changed(image, draw_poses(image, sample, META, kpt_thr=0.5))) == 0
    assert len(changed(image, draw_poses(image, sample, META, kpt_thr=0.3))) > 0


def test_everybody_is_drawn(image):
    people = [person({NOSE: (40, 50)}), person({NOSE: (120, 150)})]
    drawn = draw_poses(image, people, META)
    for x, y in ((40, 50), (120, 150)):
        assert drawn[y, x].tolist() == list(META['keypoint_colors'][NOSE])[::-1]


def test_boxes_are_drawn_on_request(image):
    sample = [person({NOSE: (40, 50)}, box=(20, 30, 140, 180))]
    on_the_edge = [(20, 100), (140, 100), (80, 180)]
    plain, boxed = (draw_poses(image, sample, META, draw_bbox=wanted) for wanted in (False, True))
    assert all((plain[y, x] == image[y, x]).all() for x, y in on_the_edge)
    assert all((boxed[y, x] != image[y, x]).any() for x, y in on_the_edge)


def test_nobody_gives_a_copy(image):
    drawn = draw_poses(image, [], META)
    np.testing.assert_array_equal(drawn, image)
    drawn[:] = 0
    assert image.min() >= 60


def test_the_picture_is_left_as_it_is(image):
    before = image.copy()
    draw_poses(image, [person({NOSE: (40, 50)})], META)
    np.testing.assert_array_equal(image, before)


def test_joints_grow_with_the_picture():
    def size(side):
        image = np.zeros((side, side, 3), np.uint8)
        return len(changed(image, draw_poses(image, [person({NOSE: (side // 2, side // 2)})], META)))

    assert 15 < size(1600) / size(320) < 30  # the radius is 5 times as large
