"""The names of metrics are told before they are computed, and which of two values is better."""

import numpy as np
import pytest
from mmengine.evaluator import DumpResults, Evaluator
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData
from mmpose.evaluation.metrics import (
    AUC,
    EPE,
    MPJPE,
    CocoMetric,
    CocoWholeBodyMetric,
    InterHandMetric,
    JhmdbPCKAccuracy,
    MpiiPCKAccuracy,
    PCKAccuracy,
    PoseTrack18Metric,
    SimpleMPJPE,
)
from mmpose.registry import EVALUATORS, METRICS
from mmpose.structures import PoseDataSample

from mmtranspose.engine.metric_names import is_error, metric_names
from mmtranspose.engine.metrics import TorsoPCK

PARTS = dict(upper=[0, 1, 2], all=list(range(17)))


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmpose')


def of_parts(metric):
    return METRICS.build(dict(type='KeypointPartitionMetric', metric=metric, partitions=PARTS))


def of_posetrack():
    """Without ``__init__``, which needs the package poseval."""
    metric = PoseTrack18Metric.__new__(PoseTrack18Metric)
    metric.prefix, metric.format_only = 'posetrack18', False
    return metric


@pytest.mark.parametrize(
    ('make', 'names'),
    [
        (lambda: CocoMetric(iou_type='keypoints_crowd'), ['coco/AP', 'coco/AP .5', 'coco/AP .75', 'coco/AR']),
        (lambda: CocoMetric(prefix='body'), ['body/AP', 'body/AP .5', 'body/AP .75', 'body/AP (M)']),
        (lambda: CocoMetric(format_only=True, outfile_prefix='x'), []),
        (lambda: CocoWholeBodyMetric(format_only=True, outfile_prefix='x'), []),
        (CocoWholeBodyMetric, ['coco-wholebody/AP', 'coco-wholebody/AP .5', 'coco-wholebody/AP .75']),
        (of_posetrack, ['posetrack18/Head AP', 'posetrack18/Shou AP', 'posetrack18/Elb AP']),
        (lambda: PCKAccuracy(norm_item=['torso', 'bbox']), ['PCK', 'tPCK']),
        (MpiiPCKAccuracy, ['Head PCK', 'Shoulder PCK', 'Elbow PCK', 'Wrist PCK']),
        (lambda: JhmdbPCKAccuracy(norm_item='torso'), ['Head tPCK', 'Sho tPCK', 'Elb tPCK', 'Wri tPCK']),
        (AUC, ['AUC']),
        (lambda: DumpResults('x.pkl'), []),
        (TorsoPCK, ['torso/PCK', 'torso/shoulder PCK']),
        (
            lambda: InterHandMetric(modes=['MRRPE', 'MPJPE']),
            ['MPJPE_all', 'MPJPE_single', 'MPJPE_interacting', 'MRRPE'],
        ),
        (lambda: SimpleMPJPE(mode='p-mpjpe'), ['P-MPJPE']),
        (lambda: of_parts(dict(type='EPE', prefix='e')), ['upper/e/EPE', 'all/e/EPE']),
    ],
)
def test_metric_names(make, names):
    assert metric_names(Evaluator(make()))[: len(names) or None] == names


def test_those_that_depend_on_the_samples_are_not_told():
    assert metric_names(Evaluator([EPE(), MPJPE()])) is None


def test_names_of_metrics_are_those_that_are_given(tested):
    assert set(metric_names(Evaluator(CocoMetric()))) == set(tested.metrics)


def samples(num_keypoints):
    """Two people of K keypoints, whose keypoints are predicted with an error of 0.5 pixels."""
    for index in range(2):
        keypoints = np.arange(2.0 * num_keypoints).reshape(1, -1, 2) * (index + 1)
        sample = PoseDataSample(metainfo=dict(id=index, img_id=index, dataset_name='coco'))
        truth = dict(
            keypoints=keypoints, keypoints_visible=np.ones((1, num_keypoints)), bboxes=np.array([[0, 0, 40, 40.0]])
        )
        sample.gt_instances = InstanceData(**truth, head_size=np.array([9.0]))
        sample.pred_instances = InstanceData(keypoints=keypoints + 0.5, keypoint_scores=np.ones((1, num_keypoints)))
        yield sample


@pytest.mark.parametrize(
    'metrics',
    [
        [dict(type='PCKAccuracy', norm_item=['torso', 'head', 'bbox'])],
        [dict(type='MpiiPCKAccuracy')],
        [dict(type='MpiiPCKAccuracy', norm_item='bbox')],
        [dict(type='JhmdbPCKAccuracy', norm_item=['torso', 'bbox'])],
        [dict(type='EPE'), dict(type='AUC', prefix='a')],
        [dict(type='KeypointPartitionMetric', metric=dict(type='PCKAccuracy'), partitions=PARTS)],
    ],
    ids=lambda metrics: metrics[0]['type'],
)
@pytest.mark.parametrize('several', [False, True])
def test_as_computed(metrics, several):
    """In the order of mmengine, whose first metric ``save_best='auto'`` is."""
    if several:
        datasets = [dict(type='CocoDataset')]
        evaluator = EVALUATORS.build(dict(type='MultiDatasetEvaluator', metrics=metrics[:1], datasets=datasets))
    else:
        evaluator = Evaluator(metrics)
    num = 16 if metrics[0]['type'] == 'MpiiPCKAccuracy' else 17
    evaluator.dataset_meta = dict(dataset_name='coco', num_keypoints=num, sigmas=np.ones(num))
    given = list(samples(num))
    evaluator.process(given, dict(inputs=[None, None], data_samples=given))
    assert metric_names(evaluator) == list(evaluator.evaluate(2))


@pytest.mark.parametrize(
    ('name', 'error'),
    [
        *[(name, True) for name in ('EPE', 'NME', 'a/EPE', 'upper/e/NME', 'MPJPE', 'N-MPJPE', 'MPJPE_single', 'MRRPE')],
        *[(name, False) for name in ('coco/AP', 'PCK', 'AUC', 'torso/PCK', 'EPE/PCK', 'HandednessAcc', 'coco/AR .5')],
    ],
)
def test_is_error(name, error):
    assert is_error(name) is error
