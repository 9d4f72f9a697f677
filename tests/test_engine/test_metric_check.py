"""Metrics are tried on the first samples before a run: what they lack is said, and nothing of the trial stays."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.fileio import load
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData
from mmpose.registry import EVALUATORS
from mmpose.structures import PoseDataSample

from mmtranspose.engine import metric_check
from mmtranspose.engine.metric_check import check_metrics
from mmtranspose.errors import InputError

CFG = SimpleNamespace(filename='a.py')
NAMES = ['left_shoulder', 'right_shoulder', 'left_hip', 'right_hip', *(f'point{k}' for k in range(4, 17))]
META = dict(
    dataset_name='coco',
    num_keypoints=17,
    keypoint_id2name=dict(enumerate(NAMES)),
    keypoint_name2id={name: k for k, name in enumerate(NAMES)},
    flip_indices=list(range(17)),
    sigmas=np.full(17, 0.05),
)


def sample(dataset='coco', **instances):
    given = dict(keypoints=np.arange(34.0).reshape(1, 17, 2), keypoints_visible=np.ones((1, 17)))
    given.update(dict(bboxes=np.array([[0, 0, 40, 40.0]]), bbox_scores=np.ones(1)) | instances)
    data = PoseDataSample(metainfo=dict(id=1, img_id=1, dataset_name=dataset))
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
        dict(type='TorsoPCK', parts=[]),
        dict(type='KeypointPartitionMetric', metric=dict(type='AUC'), partitions=dict(some=[3, 0], all=range(17))),
        dict(type='DumpResults', out_file_path='a.pkl'),
    ],
    ids=lambda metric: metric['type'],
)
def test_what_can_be_computed(metric):
    made = evaluator(metric)
    check_metrics(CFG, 'val', made, [sample(), sample()])
    inside = getattr(made.metrics[0], 'metrics', {}).values()
    assert [one.results for one in (*made.metrics, *inside)] == [[]] * (1 + len(inside))


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


@pytest.mark.filterwarnings('ignore:norm_item torso is used in JhmdbDataset')
@pytest.mark.parametrize(
    ('kind', 'inside'),
    [('PCKAccuracy', False), ('MpiiPCKAccuracy', False), ('JhmdbPCKAccuracy', False), ('PCKAccuracy', True)],
)
def test_the_torso_is_measured_in_jhmdb_alone(kind, inside):
    """MMPose measures it between keypoints 4 and 5 of any dataset."""
    metric = dict(type=kind, norm_item=['bbox', 'torso'])
    if inside:
        metric = dict(type='KeypointPartitionMetric', metric=metric, partitions=dict(some=[9, 8, 7, 6, 2, 3]))
    ends = 'left_hip and right_hip' if inside else 'point4 and point5'
    words = f"norm_item='torso' of {kind} is the distance of keypoints 4 and 5, .* here {ends}; use TorsoPCK"
    with pytest.raises(InputError, match=f'config a.py: val_evaluator: {words}'):
        check_metrics(CFG, 'val', evaluator(metric), [sample()])
    if inside:
        metric['partitions']['some'][4] = 0  # the left shoulder
    names = {4: 'left_shoulder', 5: 'right_hip'}
    made = evaluator(metric)
    made.dataset_meta = META if inside else dict(META, keypoint_id2name={**META['keypoint_id2name'], **names})
    if kind == 'PCKAccuracy':  # the others want more of a sample
        check_metrics(CFG, 'val', made, [sample()])


def test_detected_boxes_are_not_labelled(tiny_config, run_command, tmp_path):
    """MMPose gives them keypoints at (0, 0), with which PCK would compare; COCO's AP is of the annotation file."""
    detected = sample(keypoints=np.zeros((1, 17, 2)))
    check_metrics(CFG, 'val', evaluator(dict(type='CocoMetric')), [detected])
    unlabelled = sample(keypoints=np.zeros((1, 17, 2)), keypoints_visible=np.zeros((1, 17)))
    check_metrics(CFG, 'val', evaluator(dict(type='PCKAccuracy')), [unlabelled, sample()])
    words = (
        'val_dataloader.dataset: PCKAccuracy needs labelled keypoints, and detected boxes have none; set bbox_file=None'
    )
    with pytest.raises(InputError, match=words):
        check_metrics(CFG, 'val', evaluator(dict(type='PCKAccuracy')), [sample(), detected])
    cfg = Config.fromfile(tiny_config)
    assert cfg.val_dataloader.dataset.bbox_file
    cfg.val_evaluator, cfg.default_hooks.checkpoint.save_best = dict(type='PCKAccuracy'), 'PCK'
    cfg.dump(str(tmp_path / 'a.py'))
    with pytest.raises(InputError, match=words):
        run_command('train', tmp_path / 'a.py', '--work-dir', tmp_path / 'work')


def test_parts_of_coco_metric():
    """It reads whole annotations from the file, and would compare them with parts of the predictions."""
    whole = dict(type='CocoMetric', score_mode='bbox', nms_mode='none')
    parts = dict(type='KeypointPartitionMetric', metric=whole, partitions=dict(some=[3, 0]))
    made = evaluator(parts)
    made.metrics[0].metrics['some'].coco = object()
    with pytest.raises(InputError, match="val_evaluator: CocoMetric cannot be split into parts such as 'some'"):
        check_metrics(CFG, 'val', made, [sample()])


class TestMultiDatasetEvaluator:
    def evaluator(self, *metrics, datasets=('CocoDataset', 'MpiiDataset')):
        init_default_scope('mmpose')
        kinds = [dict(type=kind) for kind in datasets[: len(metrics)]]
        made = EVALUATORS.build(dict(type='MultiDatasetEvaluator', metrics=[*metrics], datasets=kinds))
        made.dataset_meta = META
        return made

    def test_each_metric_gets_its_own_samples(self):
        made = self.evaluator(dict(type='EPE'), dict(type='MpiiPCKAccuracy'))
        keypoints = dict(keypoints=np.arange(32.0).reshape(1, 16, 2), keypoints_visible=np.ones((1, 16)))
        mpii = sample('mpii', head_size=np.array([10.0]), **keypoints)
        check_metrics(CFG, 'val', made, [sample(), mpii])
        assert [metric.results for metric in made.metrics] == [[], []]
        with pytest.raises(InputError, match='val_evaluator: MpiiPCKAccuracy cannot be computed on .*head_size'):
            check_metrics(CFG, 'val', made, [sample(head_size=np.array([10.0])), sample('mpii')])

    @pytest.mark.parametrize(
        ('datasets', 'samples', 'words'),
        [
            (('CocoDataset', 'CocoDataset'), ['coco'], 'several have the same name, .*; the names are coco$'),
            (
                ('CocoDataset', 'MpiiDataset'),
                ['coco', 'coco'],
                "no sample .* is of 'mpii', .* of 'coco'$",
            ),
            (('CocoDataset',), ['mine'], "no sample of val_dataloader is of 'coco', .* they are of 'mine'$"),
        ],
    )
    def test_a_metric_without_samples(self, datasets, samples, words):
        made = self.evaluator(*[dict(type='EPE', prefix=str(k)) for k in range(len(datasets))], datasets=datasets)
        with pytest.raises(InputError, match=f'config a.py: val_evaluator.datasets: {words}'):
            check_metrics(CFG, 'val', made, [sample(name) for name in samples])

    def test_samples_without_a_metric_are_said(self, monkeypatch):
        said = []
        monkeypatch.setattr(metric_check, 'print_log', lambda message, *arguments: said.append(message))
        check_metrics(CFG, 'val', self.evaluator(dict(type='EPE')), [sample(), sample('aic')])
        assert said == ["val_evaluator.datasets: samples of 'aic' are not evaluated; there are metrics for 'coco'"]


def test_samples_of_another_kind_are_left_alone():
    made = evaluator(dict(type='MpiiPCKAccuracy'))  # which would need more than there is
    check_metrics(CFG, 'val', made, [dict(data_samples=PoseDataSample())])
    assert made.metrics[0].results == []


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
    cfg.val_dataloader.dataset.bbox_file = None
    cfg.dump(str(tmp_path / 'a.py'))
    with pytest.raises(InputError, match=words):
        run_command('train', tmp_path / 'a.py', '--work-dir', tmp_path / 'work')
    assert not list((tmp_path / 'work').glob('*.pth'))


def test_the_trial_leaves_no_trace(tiny_config, run_command, tmp_path):
    """Metrics after a test are those of the predictions, also in parts: no ground truth of the trial is among them."""
    cfg = Config.fromfile(tiny_config)
    cfg.test_dataloader.dataset.bbox_file = None
    parts = dict(type='KeypointPartitionMetric', metric=dict(type='EPE'), partitions=dict(all=range(17)))
    cfg.test_evaluator = [dict(type='PCKAccuracy', thr=0.05), dict(type='EPE'), parts]
    cfg.dump(str(tmp_path / 'a.py'))
    run_command('train', tmp_path / 'a.py', '--work-dir', tmp_path / 'work', '--no-validate')
    out, dump = tmp_path / 'metrics.json', tmp_path / 'predictions.pkl'
    run_command(
        *('test', tmp_path / 'a.py', tmp_path / 'work' / 'epoch_1.pth', '--work-dir', tmp_path / 'work'),
        *('--out', out, '--dump', dump),
    )
    metrics, samples = json.loads(out.read_text()), load(dump)
    errors = [one['pred_instances']['keypoints'] - one['gt_instances']['keypoints'] for one in samples]
    visible = np.concatenate([one['gt_instances']['keypoints_visible'] for one in samples]) > 0
    assert len(samples) == 5
    assert metrics['EPE'] == pytest.approx(np.linalg.norm(np.concatenate(errors), axis=-1)[visible].mean(), rel=1e-5)
    assert metrics['all/EPE'] == metrics['EPE'] > 5 and metrics['PCK'] < 0.3
