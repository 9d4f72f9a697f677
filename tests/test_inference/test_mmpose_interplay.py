"""MMPose's own inference takes our configs and checkpoints, beside a detector of mmdet, and agrees with ours."""

import json
import runpy
import sys
from pathlib import Path

import cv2
import mmpose
import numpy as np
import pytest
from mmengine.logging import MessageHub, MMLogger
from mmengine.registry import init_default_scope
from mmpose.apis import Pose2DInferencer
from mmpose.apis import inference_topdown as mmpose_inference_topdown
from mmpose.apis import init_model as mmpose_init_model
from mmpose.visualization import PoseLocalVisualizer
from tiny_detector import write_detector

from mmtranspose.apis import inference_topdown, init_model
from mmtranspose.detection import PersonDetector

SCRIPT = Path(mmpose.__file__).parent / '.mim' / 'demo' / 'topdown_demo_with_mmdet.py'
TOLERANCE = 0.01  # pixels


@pytest.fixture(scope='module')
def detector_files(tmp_path_factory):
    return write_detector(tmp_path_factory.mktemp('detector'))


@pytest.fixture(scope='module')
def image_file(people, tmp_path_factory) -> str:
    """A square one: boxes that mmdet finds in the padding of others are clipped by our detector alone."""
    path = tmp_path_factory.mktemp('image') / 'square.png'
    cv2.imwrite(str(path), cv2.imread(str(sorted((people / 'val').iterdir())[0]))[-240:, -240:])
    return str(path)


@pytest.fixture(scope='module')
def ours(tiny_config, tiny_checkpoint, detector_files, image_file):
    """Boxes of our detector, and the keypoints and scores of our inference in them."""
    boxes = PersonDetector(*detector_files)([cv2.imread(image_file)])[0]
    assert len(boxes) >= 2
    samples = inference_topdown(init_model(tiny_config, tiny_checkpoint), image_file, boxes)
    found = [sample.pred_instances for sample in samples]
    keypoints = np.concatenate([one.keypoints for one in found])
    assert np.ptp(keypoints, axis=0).max() > 5  # the boxes' poses differ
    return boxes, keypoints, np.concatenate([one.keypoint_scores for one in found])


@pytest.fixture(autouse=True)
def as_in_a_process_of_its_own():
    for kind in (PoseLocalVisualizer, MessageHub, MMLogger):
        kind._instance_dict.clear()


def assert_same(people: list[dict], ours) -> None:
    """Instances as MMPose writes them, in any order, are ours: boxes, keypoints, scores."""
    boxes, keypoints, scores = ours
    found = np.array([np.ravel(one['bbox']) for one in people])
    order = np.abs(boxes[:, None, :4] - found).max(2).argmin(1)  # of the one nearest to each of ours
    assert sorted(order) == list(range(len(people)))
    np.testing.assert_allclose(found[order], boxes[:, :4], atol=TOLERANCE)
    np.testing.assert_allclose([people[n]['keypoints'] for n in order], keypoints, atol=TOLERANCE)
    np.testing.assert_allclose([people[n]['keypoint_scores'] for n in order], scores, atol=1e-4)


def test_inference_topdown(tiny_config, tiny_checkpoint, image_file, ours):
    model = mmpose_init_model(tiny_config, tiny_checkpoint, device='cpu')
    boxes, keypoints, scores = ours
    samples = mmpose_inference_topdown(model, image_file, boxes[:, :4])
    found = [sample.pred_instances for sample in samples]
    np.testing.assert_allclose(np.concatenate([one.keypoints for one in found]), keypoints, atol=TOLERANCE)
    np.testing.assert_allclose(np.concatenate([one.keypoint_scores for one in found]), scores, atol=1e-4)


def test_pose_2d_inferencer(tiny_config, tiny_checkpoint, detector_files, image_file, ours, tmp_path):
    init_default_scope('mmpose')
    inferencer = Pose2DInferencer(
        tiny_config,
        tiny_checkpoint,
        device='cpu',
        det_model=detector_files[0],
        det_weights=detector_files[1],
        det_cat_ids=[0],
    )
    outputs = dict(vis_out_dir=str(tmp_path / 'drawn'), pred_out_dir=str(tmp_path / 'found'))
    (result,) = inferencer(image_file, bbox_thr=0.3, nms_thr=0.3, draw_bbox=True, return_vis=True, **outputs)
    assert_same(result['predictions'][0], ours)
    assert_same(json.loads((tmp_path / 'found' / f'{Path(image_file).stem}.json').read_text()), ours)
    drawn = cv2.imread(str(tmp_path / 'drawn' / Path(image_file).name))
    assert (drawn != cv2.imread(image_file)).any()


@pytest.mark.filterwarnings('ignore:json-tricks:UserWarning')  # MMPose's demo
def test_topdown_demo_with_mmdet(tiny_config, tiny_checkpoint, detector_files, image_file, ours, tmp_path, monkeypatch):
    arguments = ('--input', image_file, '--output-root', str(tmp_path), '--save-predictions', '--device', 'cpu')
    command = [str(SCRIPT), *detector_files, tiny_config, tiny_checkpoint, *arguments, '--draw-bbox', '--kpt-thr', '0']
    monkeypatch.setattr(sys, 'argv', command)
    runpy.run_path(str(SCRIPT), run_name='__main__')
    written = json.loads((tmp_path / f'results_{Path(image_file).stem}.json').read_text())
    assert_same(written['instance_info'], ours)
    drawn = cv2.imread(str(tmp_path / Path(image_file).name))
    assert drawn.shape == cv2.imread(image_file).shape and (drawn != cv2.imread(image_file)).any()
