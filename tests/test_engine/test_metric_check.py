"""Metrics are tried on the first samples before a run: what they lack is said, and nothing of the trial stays."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData
from mmpose.structures import PoseDataSample

from mmtranspose.engine.metric_check import check_metrics
from mmtranspose.errors import InputError

CFG = SimpleNamespace(filename='a.py')
META = dict(
    dataset_name='coco',
    num_keypoints=17,
    keypoint_id2name={k: f'point{k}' for k in range(17)},
    keypoint_name2id={f'point{k}': k for k in range(17)},
    flip_indices=list(range(17)),
    sigmas=np.full(17, 0.05),
)


def sample(**instances):
    given = dict(keypoints=np.arange(34.0).reshape(1, 17, 2), keypoints_visible=np.ones((1, 17)))
    given.update(bboxes=np.array([[0, 0, 40, 40.0]]), bbox_scores=np.ones(1), **instances)
    data = PoseDataSample(metainfo=dict(id=1, img_id=1))
    data.gt_instances = InstanceData(**given)
    return dict(inputs=None, data_samples=data)


def evaluator(*metrics, meta=META):
    init_default_scope('mmpose')
    made = Evaluator([dict(metric) for metric in metrics])
    made.dataset_meta = dict(meta)
    return made


@pytest.mark.parametrize(
    'metric',
    [
        dict(type='PCKAccuracy', thr=0.2),
        dict(type='AUC'),
        dict(type='EPE'),
        dict(type='NME', norm_mode='keypoint_distance', keypoint_indices=(0, 1)),
        dict(type='CocoMetric'),  # reads the whole file
        dict(type='DumpResults', out_file_path='a.pkl'),
    ],
    ids=lambda metric: metric['type'],
)
def test_what_can_be_computed(metric):
    made = evaluator(metric)
    check_metrics(CFG, 'val', made, [sample(), sample()])
    assert made.metrics[0].results == []


@pytest.mark.parametrize(
    ('metric', 'words'),
    [
        (
            dict(type='PCKAccuracy', norm_item='head'),
            'PCKAccuracy cannot be computed on val_dataloader: .*head_size',
        ),
        (dict(type='MpiiPCKAccuracy'), 'MpiiPCKAccuracy cannot be computed on val_dataloader: .*head_size'),
        (
            dict(type='NME', norm_mode='use_norm_item', norm_item='box_size'),
            'NME cannot be computed on val_dataloader: .*box_size',
        ),
        (
            dict(type='NME', norm_mode='keypoint_distance'),
            'NME cannot be computed on val_dataloader: `norm_mode` is set .*specify `keypoint_indices`',
        ),
    ],
    ids=lambda value: value['type'] if isinstance(value, dict) else '',
)
def test_what_cannot(metric, words):
    with pytest.raises(InputError, match=f'config a.py: val_evaluator: {words}'):
        check_metrics(CFG, 'val', evaluator(dict(type='EPE'), metric), [sample()])


def test_samples_of_another_kind_are_left_alone():
    check_metrics(CFG, 'val', evaluator(dict(type='MpiiPCKAccuracy')), [dict(data_samples=PoseDataSample())])


@pytest.mark.parametrize(
    ('metrics', 'words'),
    [
        ([dict(type='PCKAccuracy', norm_item='head')], 'val_evaluator: PCKAccuracy cannot be computed .*head_size'),
        ([dict(type='EPE'), dict(type='EPE')], "val_evaluator: 2 metrics are called 'EPE'; give each a prefix"),
    ],
)
def test_training_does_not_begin(tiny_config, run_command, tmp_path, metrics, words):
    cfg = Config.fromfile(tiny_config)
    cfg.val_evaluator, cfg.default_hooks.checkpoint.save_best = metrics, None
    cfg.dump(str(tmp_path / 'a.py'))
    with pytest.raises(InputError, match=words):
        run_command('train', tmp_path / 'a.py', '--work-dir', tmp_path / 'work')
    assert not list((tmp_path / 'work').glob('*.pth'))


def test_the_trial_leaves_no_trace(tiny_config, run_command, tmp_path):
    """PCK after a test is that of the predictions: the ground truth of the trial is not among them."""
    cfg = Config.fromfile(tiny_config)
    cfg.test_evaluator = [dict(type='PCKAccuracy', thr=0.05), dict(type='EPE')]
    cfg.dump(str(tmp_path / 'a.py'))
    run_command('train', tmp_path / 'a.py', '--work-dir', tmp_path / 'work', '--no-validate')
    out = tmp_path / 'metrics.json'
    run_command(
        'test', tmp_path / 'a.py', tmp_path / 'work' / 'epoch_1.pth', '--work-dir', tmp_path / 'work', '--out', out
    )
    metrics = json.loads(out.read_text())
    assert metrics['PCK'] < 0.3 and metrics['EPE'] > 5
