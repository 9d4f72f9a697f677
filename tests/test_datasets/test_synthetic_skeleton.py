"""Facts about bodies that can be checked by hand."""

import math

import numpy as np
import pytest

from mmtranspose.datasets.synthetic.appearance import sample_shape
from mmtranspose.datasets.synthetic.pinhole_camera import Camera, aim
from mmtranspose.datasets.synthetic.poses import FAMILIES, sample_pose
from mmtranspose.datasets.synthetic.skeleton import (
    COCO_KEYPOINTS,
    JOINT_LIMITS,
    BodyShape,
    bones,
    clamp_pose,
    coco_keypoints,
    forward_kinematics,
    rotation,
)

FRONT = Camera((200, 240), focal=440.0, height=1.2)


def _flexion(skeleton, side, upper, middle, lower):
    """Signed bend in degrees at a hinge, about the body's left axis there: positive bends backwards."""
    a, b, c = (skeleton.joints[f'{side}_{name}'] for name in (upper, middle, lower))
    left = skeleton.frames[f'{side}_{middle}'][:, 0]
    first, second = b - a, c - b
    return math.degrees(math.atan2(np.cross(first, second) @ left, first @ second))


def _keypoints(pose, yaw):
    return dict(zip(COCO_KEYPOINTS, coco_keypoints(BodyShape(), forward_kinematics(BodyShape(), pose, yaw))))


@pytest.mark.parametrize('seed', range(20))
def test_no_pose_changes_a_bone_length(seed):
    rng = np.random.default_rng(seed)
    shape, (_, pose) = sample_shape(rng), sample_pose(rng)
    joints = forward_kinematics(shape, pose, rng.uniform(0, 360)).joints
    for bone in bones():
        length = np.linalg.norm(joints[bone.name] - joints[bone.parent])
        assert length == pytest.approx(shape.bone_length(bone), abs=1e-9), bone.name


def test_frames_stay_rotations():
    _, pose = sample_pose(np.random.default_rng(3))
    for name, frame in forward_kinematics(BodyShape(), pose, 77.0).frames.items():
        np.testing.assert_allclose(frame.T @ frame, np.eye(3), atol=1e-12, err_msg=name)
        assert np.linalg.det(frame) == pytest.approx(1)


def test_joints_bend_one_way_over_500_poses():
    rng, families = np.random.default_rng(0), set()
    for _ in range(500):
        family, pose = sample_pose(rng)
        families.add(family)
        assert all(low <= pose[name] <= high for name, (low, high) in JOINT_LIMITS.items())
        skeleton = forward_kinematics(BodyShape(), pose)
        for side in ('left', 'right'):
            assert -1e-6 <= _flexion(skeleton, side, 'hip', 'knee', 'ankle') <= 145 + 1e-6
            assert -1e-6 <= -_flexion(skeleton, side, 'shoulder', 'elbow', 'wrist') <= 145 + 1e-6
    assert families == {family.__name__ for family in FAMILIES}


def test_clamping_fills_and_limits():
    pose = clamp_pose({'left_knee_flexion': -30.0, 'right_elbow_flexion': 400.0})
    assert (pose['left_knee_flexion'], pose['right_elbow_flexion'], pose['spine_twist']) == (0, 145, 0)
    with pytest.raises(KeyError, match='left_knee_bend'):
        clamp_pose({'left_knee_bend': 1.0})


def test_upright_height_and_order():
    points = _keypoints({}, 0.0)
    skeleton = forward_kinematics(BodyShape(), {}).joints
    ankle_above_sole = 0.048 * 1.7
    crown = points['left_eye'][1] - skeleton['left_ankle'][1] + ankle_above_sole + 0.058 * 1.7
    assert crown == pytest.approx(1.7, rel=0.05)
    order = ('left_eye', 'left_shoulder', 'left_hip', 'left_knee', 'left_ankle')
    heights = [points[name][1] for name in order]
    assert heights == sorted(heights, reverse=True)


@pytest.mark.parametrize(('yaw', 'sign'), [(0, 1), (180, -1)])
def test_left_is_at_larger_x_for_who_faces_the_camera(yaw, sign):
    skeleton = forward_kinematics(BodyShape(), {}, yaw).transformed(np.eye(3), np.array((0, 0.9, -4.0)))
    pixels = FRONT.project(FRONT.to_camera(coco_keypoints(BodyShape(), skeleton)))
    for name in ('eye', 'ear', 'shoulder', 'elbow', 'wrist', 'hip', 'knee', 'ankle'):
        left, right = (pixels[COCO_KEYPOINTS.index(f'{side}_{name}')][0] for side in ('left', 'right'))
        assert sign * (left - right) > 1, name


def test_named_angles_move_what_they_say():
    rest, quarter = _keypoints({}, 0.0), 90.0
    raised = _keypoints({'left_shoulder_flexion': quarter}, 0.0)
    assert raised['left_wrist'][2] - rest['left_wrist'][2] == pytest.approx((0.182 + 0.148) * 1.7)  # forwards
    sideways = _keypoints({'right_shoulder_abduction': quarter}, 0.0)
    assert sideways['right_wrist'][0] - rest['right_wrist'][0] == pytest.approx(-(0.182 + 0.148) * 1.7)
    kneeling = _keypoints({'left_knee_flexion': quarter}, 0.0)
    assert kneeling['left_ankle'][2] - rest['left_ankle'][2] == pytest.approx(-0.246 * 1.7)  # backwards
    np.testing.assert_allclose(kneeling['right_ankle'], rest['right_ankle'])
    turned = _keypoints({'neck_twist': 60.0}, 0.0)
    assert turned['nose'][0] > 0.05  # to the person's left


def test_yaw_90_faces_plus_x():
    nose = _keypoints({}, 90.0)['nose']
    assert nose[0] > 0.08 and abs(nose[2]) < 1e-9


def test_projection_by_similar_triangles():
    camera = Camera((321, 241), focal=400.0, height=1.5)
    point = np.array((0.8, 0.5, -5.0))  # 1 m under the camera, 5 m away
    np.testing.assert_allclose(camera.project(camera.to_camera(point)), (160 + 400 * 0.8 / 5, 120 + 400 * 1.0 / 5))


@pytest.mark.parametrize(('pitch', 'roll'), [(0, 0), (12, 0), (-3, 5), (20, -8)])
def test_projection_against_homogeneous_matrices(pitch, roll):
    camera, points = (
        Camera((320, 240), 500.0, 1.4, pitch, roll),
        np.random.default_rng(1).uniform(-1, 1, (9, 3)) - (0, 0, 6),
    )
    p, r = math.radians(pitch), math.radians(roll)
    look = np.array(((1, 0, 0, 0), (0, -1, 0, 1.4), (0, 0, -1, 0), (0, 0, 0, 1)))
    tilt = np.array(((1, 0, 0, 0), (0, math.cos(p), -math.sin(p), 0), (0, math.sin(p), math.cos(p), 0), (0, 0, 0, 1)))
    turn = np.array(((math.cos(r), -math.sin(r), 0, 0), (math.sin(r), math.cos(r), 0, 0), (0, 0, 1, 0), (0, 0, 0, 1)))
    lens = np.array(((500.0, 0, 159.5, 0), (0, 500.0, 119.5, 0), (0, 0, 1, 0)))
    homogeneous = np.column_stack((points, np.ones(9))) @ (lens @ turn @ tilt @ look).T
    np.testing.assert_allclose(camera.project(camera.to_camera(points)), homogeneous[:, :2] / homogeneous[:, 2:])


def test_looking_down_lifts_the_horizon():
    level, down = Camera((320, 240), 500.0, 1.4), Camera((320, 240), 500.0, 1.4, pitch=10.0)
    far = np.array((0, 1.4, -1e6))
    assert level.project(level.to_camera(far))[1] == pytest.approx(119.5)
    assert down.project(down.to_camera(far))[1] == pytest.approx(119.5 - 500 * math.tan(math.radians(10)))


def test_aim_puts_the_point_on_its_row():
    camera = aim((320, 240), 450.0, 8.0, 0.0, distance=4.0, point_height=0.85, row=150.0)
    assert camera.project(camera.to_camera(np.array((0, 0.85, -4.0))))[1] == pytest.approx(150)


def test_plane_view_agrees_with_projection():
    camera = Camera((320, 240), 500.0, 1.4, 7.0, 2.0)
    view = camera.plane_view(np.zeros(3), (1.0, 0, 0), (0, 0, -1.0), pixels_per_metre=128)
    image = view @ np.array((0.5 * 128, 6 * 128, 1))
    np.testing.assert_allclose(image[:2] / image[2], camera.project(camera.to_camera(np.array((0.5, 0, -6.0)))))


def test_rotation_is_right_handed():
    np.testing.assert_allclose(rotation(0, 90.0) @ (0, 1, 0), (0, 0, 1), atol=1e-12)
    np.testing.assert_allclose(rotation(1, 90.0) @ (0, 0, 1), (1, 0, 0), atol=1e-12)
    np.testing.assert_allclose(rotation(2, 90.0) @ (1, 0, 0), (0, 1, 0), atol=1e-12)
