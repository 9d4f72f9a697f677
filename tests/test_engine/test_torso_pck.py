"""PCK relative to the torso, against values computed by hand."""

import numpy as np
import pytest
from mmengine.evaluator import Evaluator
from mmpose.registry import METRICS

from mmtranspose.engine.metric_names import metric_names
from mmtranspose.engine.metrics import TorsoPCK
from mmtranspose.engine.metrics.torso_pck import torso_angles, torso_lengths
from mmtranspose.errors import InputError

NAMES = [f'{side}_{part}' for part in ('shoulder', 'hip', 'knee') for side in ('left', 'right')]
META = dict(keypoint_id2name=dict(enumerate(NAMES)))
# Shoulders above hips; left shoulder to right hip: 50 px, right shoulder to left hip: 50 px
UPRIGHT = np.array([[30.0, 0], [0, 0], [30, 40], [0, 40], [30, 80], [0, 80]])


def sample(labels, predicted, visible=None):
    visible = np.ones((1, len(labels))) if visible is None else np.asarray(visible)[None]
    return dict(
        gt_instances=dict(keypoints=labels[None], keypoints_visible=visible),
        pred_instances=dict(keypoints=predicted[None]),
    )


def measured(*samples, **options):
    metric = TorsoPCK(parts=('shoulder', 'hip', 'knee'), **options)
    metric.dataset_meta = META
    metric.process({}, samples)
    return metric.evaluate(len(samples))


def moved(points, keypoint, by):
    points = points.copy()
    points[keypoint] += by
    return points


def test_distances_are_shares_of_the_longer_diagonal():
    just, beyond = (0, 9.9), (0, 10.1)  # 0.2 of 50 px
    assert measured(sample(UPRIGHT, moved(UPRIGHT, 5, just)))['torso/PCK'] == 1
    metrics = measured(sample(UPRIGHT, moved(UPRIGHT, 5, beyond)))
    assert metrics['torso/PCK'] == pytest.approx(5 / 6)
    assert metrics['torso/knee PCK'] == 0.5 and metrics['torso/hip PCK'] == metrics['torso/shoulder PCK'] == 1
    assert measured(sample(UPRIGHT, moved(UPRIGHT, 5, beyond)), thr=0.25)['torso/PCK'] == 1


def test_each_keypoint_weighs_the_same():
    """PCK is the mean over keypoints, each over those people of whom it is labelled."""
    wrong = moved(UPRIGHT, 4, (50, 0))
    unlabelled = [1, 1, 1, 1, 1, 0]
    metrics = measured(sample(UPRIGHT, wrong), sample(UPRIGHT, UPRIGHT, unlabelled), sample(UPRIGHT, UPRIGHT))
    assert metrics['torso/PCK'] == pytest.approx((5 + 2 / 3) / 6)


def test_poses_by_the_angle_of_the_torso():
    down, lying = UPRIGHT * [1, -1], UPRIGHT[:, ::-1]
    every = [sample(points, points) for points in (UPRIGHT, down)] + [sample(lying, moved(lying, 4, 50))]
    metrics = measured(*every)
    assert (metrics['torso/upright PCK'], metrics['torso/upside-down PCK']) == (1, 1)
    assert metrics['torso/tilted PCK'] == pytest.approx(5 / 6)
    assert 'torso/tilted PCK' not in measured(every[0])  # nobody lies there: no figure, rather than 0


def test_torso_of_what_is_labelled():
    keypoints = np.stack([moved(UPRIGHT, 3, (-40, 0))] * 4)  # left shoulder to right hip: (70, 40)
    visible = np.ones((4, 6), bool)
    visible[1, 0] = visible[2, [0, 1]] = visible[3, [0, 2]] = False
    lengths = torso_lengths(keypoints, visible, (0, 1), (2, 3))
    assert lengths == pytest.approx([np.hypot(70, 40), 50, 0, 0])
    assert np.isnan(torso_angles(keypoints, visible, (0, 1), (2, 3))).tolist() == [False, True, True, True]


@pytest.mark.parametrize(('turn', 'angle'), [(0, 0), (30, 30), (-44, 44), (90, 90), (-136, 136), (180, 180)])
def test_angle(turn, angle):
    turned = np.radians(turn)
    rotation = np.array([[np.cos(turned), -np.sin(turned)], [np.sin(turned), np.cos(turned)]])
    points = (UPRIGHT @ rotation.T)[None]
    assert torso_angles(points, np.ones((1, 6), bool), (0, 1), (2, 3)) == pytest.approx([angle])


def test_people_without_torso_do_not_count():
    hidden = [0, 0, 1, 1, 1, 1]
    wrong = sample(UPRIGHT, UPRIGHT + 100, hidden)
    assert measured(sample(UPRIGHT, UPRIGHT), wrong)['torso/PCK'] == 1


def test_labels_with_a_column_of_weights():
    """``KeypointConverter`` gives (1, K, 2): visible, weight."""
    one = sample(UPRIGHT, moved(UPRIGHT, 4, (50, 0)))
    visible = np.ones((1, 6, 2))
    visible[0, 4] = (0, 1)
    one['gt_instances']['keypoints_visible'] = visible
    assert measured(one)['torso/PCK'] == 1


def test_missing_keypoint_is_named():
    metric = TorsoPCK()
    metric.dataset_meta = META
    metric.process({}, [sample(UPRIGHT, UPRIGHT)])
    with pytest.raises(InputError, match="'left_(elbow|wrist|ankle)'"):
        metric.evaluate(1)


def test_names_are_known_before():
    evaluator = Evaluator([METRICS.build(dict(type='TorsoPCK'))])
    names = metric_names(evaluator)
    assert names[:2] == ['torso/PCK', 'torso/shoulder PCK'] and names[-1] == 'torso/upside-down PCK'
    assert len(names) == 1 + 6 + 3
