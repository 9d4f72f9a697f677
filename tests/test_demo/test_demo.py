"""The demo from end to end, on a handful of images."""

import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import SYNTHETIC_CONFIG

from mmtranspose.commands.demo import CONFIG
from mmtranspose.demo.pose_demo import Demo
from mmtranspose.loading.checkpoint import Checkpoint
from mmtranspose.media import open_source


@pytest.fixture(scope='module')
def demo(tmp_path_factory, tiny_config):
    root = tmp_path_factory.mktemp('demo') / 'out'
    demo = Demo(root, str(tiny_config), seed=3, num_train=8, num_val=4, epochs=1)
    demo.run()
    return demo


def test_metrics_are_the_evaluators(demo):
    assert set(demo.metrics) == {'AP', 'AP50', 'AP75', 'AR'}
    assert all(-1 <= value <= 1 for value in demo.metrics.values())
    written = json.loads((demo.root / 'demo.json').read_text())
    assert written == dict(metrics=demo.metrics, seconds=demo.seconds, files=demo.files)


def test_checkpoint_is_of_the_last_epoch(demo):
    meta = Checkpoint.read(demo.files['checkpoint']).meta
    assert (meta['epoch'], meta['seed']) == (1, 3)


@pytest.fixture(scope='module')
def boxes(demo):
    """Of each held-out image."""
    with open_source(str(demo.data / 'val')) as source:
        return demo.boxes()(list(source))


def test_boxes(demo, boxes):
    detections = json.loads((demo.data / 'person_detection_results' / 'person_detections_val.json').read_text())
    assert len(boxes) == 4
    for number, found in enumerate(boxes, start=1):
        sure = [d for d in detections if d['image_id'] == number and d['score'] >= 0.5]
        assert 0 < len(found) <= len(sure)
        best = max(sure, key=lambda d: d['score'])
        x, y, w, h = best['bbox']
        np.testing.assert_allclose(found[0], [x, y, x + w, y + h, best['score']], rtol=1e-5)


def test_images(demo):
    poses, dependency = cv2.imread(demo.files['poses']), cv2.imread(demo.files['dependency'])
    assert poses.shape == (320, 4 * 320, 3)  # four images in a row
    assert dependency.shape[1] > 17 * 50  # a column a keypoint


def test_page_shows_the_people_of_one_image(demo, boxes):
    page = Path(demo.files['explanation']).read_text()
    assert page.startswith('<!doctype html>') and 'left_wrist' in page
    people = json.loads(re.search('<script id="data"[^>]*>(.*?)</script>', page, re.DOTALL)[1])['people']
    assert len(people) in map(len, boxes)


def test_config_by_name(tmp_path):
    demo = Demo(tmp_path, CONFIG, seed=3, epochs=2)
    cfg = demo.run_config()
    assert Path(cfg.filename).resolve() == SYNTHETIC_CONFIG
    assert cfg.train_dataloader.dataset.data_root == f'{tmp_path}/data/' and cfg.work_dir == str(tmp_path / 'train')
    assert (cfg.train_cfg.max_epochs, cfg.randomness.seed) == (2, 3)


def test_table(demo):
    rows = dict(line.split(maxsplit=1) for line in demo.table().splitlines()[:4])
    assert rows == {name: f'{value:.3f}' for name, value in demo.metrics.items()}
    for path in demo.files.values():
        assert path in demo.table()
    assert list(demo.seconds) == ['people', 'training', 'evaluation', 'images', 'photograph']
