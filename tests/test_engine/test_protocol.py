"""From box to keypoints in the image, through the configs' own pipeline and head, against the release's numbers."""

import json

import numpy as np
import pytest
import torch
from golden import DATA
from mmpose.evaluation.metrics import CocoMetric
from mmpose.registry import METRICS

from mmtranspose.acceleration import accelerate
from mmtranspose.apis import init_model
from mmtranspose.crops.crop_maker import prepare_crops
from mmtranspose.engine.hooks import acceleration_hook
from mmtranspose.loading.config import load_config
from mmtranspose.loading.zoo import find_config

TOLERANCE = 0.01  # image pixels; MMPose's UDP is 0.30 off on average (REFERENCE, section 3)


@pytest.fixture(scope='module')
def golden():
    with np.load(DATA / 'pipeline.npz') as file:
        return dict(file)


@pytest.fixture(scope='module')
def model():
    return init_model(find_config('transpose-r-a3'))


@pytest.fixture(scope='module')
def bboxes(golden):
    xy, size = golden['bbox_xywh'][:, :2], golden['bbox_xywh'][:, 2:]
    return np.hstack([xy, xy + size]).astype(np.float32)


@pytest.fixture(scope='module')
def image(bboxes):
    width, height = np.ceil(bboxes[:, 2:].max(0)).astype(int) + 10
    return np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8)


def predict(model, image, bboxes, outputs, monkeypatch, flip_test):
    """The poses where the network's heatmaps are ``outputs``, one a pass."""
    passes = iter(outputs)
    monkeypatch.setattr(model.head, 'forward', lambda feats: torch.from_numpy(next(passes)))
    monkeypatch.setitem(model.test_cfg, 'flip_test', flip_test)
    with torch.no_grad():
        samples = model.test_step(prepare_crops(model, image, bboxes))
    assert next(passes, None) is None
    found = [sample.pred_instances for sample in samples]
    return np.concatenate([f.keypoints for f in found]), np.concatenate([f.keypoint_scores for f in found])


def mirrored(heatmaps, flip_indices):
    """What the network would say of the mirrored crop: columns reversed, left and right keypoints swapped."""
    return heatmaps[:, flip_indices, :, ::-1].copy()


class TestFromBoxToImage:
    def test_one_pass(self, golden, model, image, bboxes, monkeypatch):
        keypoints, scores = predict(model, image, bboxes, [golden['heatmaps']], monkeypatch, flip_test=False)
        np.testing.assert_allclose(keypoints, golden['keypoints'], rtol=0, atol=TOLERANCE)
        np.testing.assert_allclose(scores, golden['scores'].reshape(3, 17), rtol=0, atol=1e-5)

    def test_flip_test_averages_without_a_shift(self, golden, model, image, bboxes, monkeypatch):
        indices = model.dataset_meta['flip_indices']
        passes = [golden['heatmaps'], mirrored(golden['heatmaps'], indices)]
        keypoints, scores = predict(model, image, bboxes, passes, monkeypatch, flip_test=True)
        np.testing.assert_allclose(keypoints, golden['keypoints'], rtol=0, atol=TOLERANCE)
        np.testing.assert_allclose(scores, golden['scores'].reshape(3, 17), rtol=0, atol=1e-5)

    def test_flip_test_takes_the_mean(self, golden, model, image, bboxes, monkeypatch):
        passes = [golden['heatmaps'], np.zeros_like(golden['heatmaps'])]
        _, scores = predict(model, image, bboxes, passes, monkeypatch, flip_test=True)
        np.testing.assert_allclose(scores, golden['scores'].reshape(3, 17) / 2, rtol=0, atol=1e-5)


@pytest.mark.parametrize('name', ['r-a3', 'r-a4', 'h-s', 'h-a4', 'h-a6'])
class TestConfigs:
    def test_flip_test(self, name):
        test_cfg = load_config(f'transpose-{name}').model.test_cfg
        assert test_cfg == dict(flip_test=True, flip_mode='heatmap', shift_heatmap=False)

    def test_detector_boxes(self, name):
        dataset = load_config(f'transpose-{name}', dict(data_root='/data/coco')).test_dataloader.dataset
        assert dataset.bbox_file == '/data/coco/person_detection_results/COCO_val2017_detections_AP_H_56_person.json'

    def test_nms_and_rescoring_are_mmposes(self, name):
        metric = METRICS.build({**load_config(f'transpose-{name}').test_evaluator})
        default = CocoMetric()
        for field in ('nms_mode', 'nms_thr', 'score_mode', 'keypoint_score_thr', 'use_area', 'iou_type'):
            assert getattr(metric, field) == getattr(default, field)
        assert (metric.nms_mode, metric.nms_thr) == ('oks_nms', 0.9)
        assert (metric.score_mode, metric.keypoint_score_thr) == ('bbox_keypoint', 0.2)


def people_in(work_dir):
    return json.loads(work_dir.with_suffix('.keypoints.json').read_text())


def test_ground_truth_boxes_by_an_option(tiny_config, tiny_checkpoint, people, run_command, tmp_path):
    """An empty ``bbox_file`` takes the boxes of the annotations, each with score 1."""
    options = ('test_dataloader.dataset.bbox_file=', f'test_evaluator.outfile_prefix={tmp_path / "gt"}')
    run_command('test', tiny_config, tiny_checkpoint, '--work-dir', tmp_path / 'work', '--cfg-options', *options)
    annotations = json.loads((people / 'annotations' / 'person_keypoints_val.json').read_text())['annotations']
    labelled = [annotation for annotation in annotations if annotation['num_keypoints']]
    found = people_in(tmp_path / 'gt')
    assert 0 < len(found) <= len(labelled)  # what OKS-NMS leaves
    assert {person['image_id'] for person in found} == {annotation['image_id'] for annotation in labelled}


@pytest.mark.parametrize('flags', [('--accelerate',), ('--accelerate', 'bf16')], ids=' '.join)
def test_the_accelerated_model_finds_the_same_people(
    flags, tiny_config, tiny_checkpoint, run_command, tmp_path, monkeypatch
):
    made = []
    monkeypatch.setattr(acceleration_hook, 'accelerate', lambda *a, **k: made.append(accelerate(*a, **k)) or made[-1])
    found = {}
    for name, extra in dict(plain=(), fast=flags).items():
        options = ('--cfg-options', f'test_evaluator.outfile_prefix={tmp_path / name}')
        run_command('test', tiny_config, tiny_checkpoint, '--work-dir', tmp_path / 'work', *extra, *options)
        found[name] = people_in(tmp_path / name)
    assert [one.options.dtype for one in made] == [(*flags, 'fp32')[1]]
    scores = [[person['score'] for person in found[name]] for name in ('plain', 'fast')]
    np.testing.assert_allclose(sorted(scores[0]), sorted(scores[1]), rtol=1e-4 if len(flags) == 1 else 0.1)
