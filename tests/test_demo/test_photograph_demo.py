"""The photograph at the end of the demo: the weights that are shipped know real people."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from mmtranspose.apis import init_model
from mmtranspose.demo.photograph_demo import BOX, MODEL, PHOTOGRAPH
from mmtranspose.inference.pose_estimation import inference_topdown
from mmtranspose.keypoint_names import keypoint_names

# (x, y) in pixels, by eye; the legs lie below the photograph, and the arms before the body
SUFFIXES = dict(photograph='png', animation='gif', page='html')
BY_EYE = {'nose': (255, 165), 'right_ear': (188, 140), 'right_shoulder': (110, 155), 'right_hip': (45, 320)}


@pytest.fixture(scope='module')
def pose():
    model = init_model(MODEL, device='cpu')
    (sample,) = inference_topdown(model, str(PHOTOGRAPH), np.array([BOX], np.float32))
    instances = sample.pred_instances
    names = keypoint_names(model.dataset_meta)
    return dict(zip(names, zip(instances.keypoints[0], instances.keypoint_scores[0])))


@pytest.mark.parametrize('name', BY_EYE)
def test_pose_is_that_of_the_photographer(pose, name):
    place, score = pose[name]
    assert np.linalg.norm(place - BY_EYE[name]) < 28  # a twenty-sixth of the box's height
    assert score > 0.3


def test_files(tmp_path, run_command, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_command('demo', '--photograph-only', '--output-root', 'out')
    files = {name: str(tmp_path / 'out' / f'photograph.{suffix}') for name, suffix in SUFFIXES.items()}
    with Image.open(files['animation']) as animation:
        assert animation.n_frames >= 3 * len(BY_EYE) and animation.size == (800, 400)
    drawn = cv2.imread(files['photograph'])
    photograph = cv2.imread(str(PHOTOGRAPH))
    h, w = photograph.shape[:2]
    assert drawn.shape == (h, 4 * w, 3)
    for number in range(4):  # the photograph four times, each drawn upon, but not all over
        changed = (np.abs(drawn[:, number * w : (number + 1) * w].astype(int) - photograph) > 30).any(-1).mean()
        assert 0.001 < changed < 0.6
    page = Path(files['page']).read_text()
    assert page.startswith('<!doctype html>') and 'Lav Varshney' in page
