"""The demo's person detector: its config, its training on a handful of images, and the demo with it."""

import contextlib
import io
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmdet.models import RTMDet
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.hub import get_config
from mmengine.registry import DefaultScope, init_default_scope
from tiny_detector import CONFIG, write_detector

from mmtranspose.demo.detector_demo import train_detector
from mmtranspose.demo.pose_demo import demo_config
from mmtranspose.detection import PersonDetector
from mmtranspose.detection.detector_loading import find_detector
from mmtranspose.errors import InputError
from mmtranspose.loading.config import load_config
from mmtranspose.media import read_image


@pytest.fixture(scope='module')
def small(tmp_path_factory) -> str:
    """The demo's detector with fewer channels and quicker loaders."""
    config = tmp_path_factory.mktemp('config') / 'small.py'
    cfg = Config.fromfile(write_detector(config.parent)[0])
    cfg.train_dataloader.update(num_workers=0, persistent_workers=False, batch_size=3)
    cfg.dump(str(config))
    return str(config)


@pytest.fixture(scope='module')
def demo(small, people, run_command, tmp_path_factory):
    """``root``, what ``mmtranspose demo-detector`` printed, and the detector that it trained on the tiny dataset."""
    root, trained = tmp_path_factory.mktemp('demo'), []
    (root / 'data').symlink_to(people)
    init_default_scope('mmpose')

    def train(*args):
        trained.append(train_detector(*args))
        return trained[0]

    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(io.StringIO()) as printed:
        patch.setattr('mmtranspose.commands.demo_detector.train_detector', train)
        run_command('demo_detector', '--output-root', root, '--config', small, '--epochs', 2, '--seed', 3)
    return SimpleNamespace(root=root, printed=printed.getvalue(), trained=trained[0])


@pytest.fixture
def trained(demo):
    return demo.trained


def shapes(cfg: Config) -> dict[str, tuple]:
    with torch.device('meta'), DefaultScope.overwrite_default_scope('mmdet'):
        model = MODELS.build(cfg.model)
    assert type(model) is RTMDet
    return {name: tuple(value.shape) for name, value in model.state_dict().items()}


def test_is_mmdets_rtmdet_tiny_with_one_class():
    ours, theirs = shapes(load_config(str(CONFIG))), shapes(get_config('mmdet::rtmdet/rtmdet_tiny_8xb32-300e_coco.py'))
    assert set(ours) == set(theirs)
    differing = {name for name in ours if ours[name] != theirs[name]}
    assert differing == {f'bbox_head.rtm_cls.{level}.{kind}' for level in range(3) for kind in ('weight', 'bias')}
    assert all(ours[name][0] == 1 and theirs[name][0] == 80 for name in differing)


def test_starts_from_nothing_on_drawn_people_and_says_so_in_its_name():
    cfg = load_config(str(CONFIG), dict(data_root='elsewhere'))
    assert cfg.model.backbone.init_cfg is None and cfg.load_from is None
    parts = (cfg.train_dataloader.batch_size, cfg.train_cfg.max_epochs, *cfg.size)
    assert CONFIG.stem == 'rtmdet_tiny_1xb{}-{}e_synthetic-{}x{}'.format(*parts)
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        assert loader.dataset.data_root == 'elsewhere/' and loader.dataset.metainfo.classes == ('person',)
    assert (
        cfg.val_evaluator.ann_file == cfg.test_evaluator.ann_file == f'elsewhere/{cfg.val_dataloader.dataset.ann_file}'
    )
    assert 'SyncBN' not in cfg.pretty_text  # which a CPU does not have


def test_training(trained, people):
    checkpoint = torch.load(trained.checkpoint, weights_only=True)
    assert checkpoint['meta']['epoch'] == 2 and checkpoint['meta']['iter'] == 4 and checkpoint['meta']['seed'] == 3
    assert checkpoint['meta']['dataset_meta']['classes'] == ('person',)
    assert set(trained.ap) == {'AP', 'AP50', 'AP75', 'AR'} and all(0 <= value <= 1 for value in trained.ap.values())
    assert DefaultScope.get_current_instance().scope_name == 'mmpose'


def test_boxes_are_the_detectors(trained, people):
    detector = PersonDetector(trained.config, trained.checkpoint, bbox_thr=0.05, nms_thr=1.0)
    written = {}
    for one in json.loads(Path(trained.detections).read_text()):
        written.setdefault(one['image_id'], []).append([*one['bbox'], one['score']])
    for image in json.loads((people / 'annotations' / 'person_keypoints_val.json').read_text())['images']:
        boxes = detector([read_image(str(people / 'val' / image['file_name']))])[0]
        boxes[:, 2:4] -= boxes[:, :2]
        np.testing.assert_allclose(np.reshape(written.get(image['id'], []), (-1, 5)), boxes, atol=0.05)


def test_needs_the_people_of_the_demo(run_command, tmp_path):
    with pytest.raises(InputError, match='has no drawn people: run `mmtranspose demo'):
        run_command('demo_detector', '--output-root', tmp_path)


def test_command(demo, small):
    printed = ', '.join(f'{name} {value:.3f}' for name, value in demo.trained.ap.items())
    assert f'box {printed}' in demo.printed.splitlines()
    checkpoint = demo.root / 'detector' / 'epoch_2.pth'
    assert f'--det-config {small} --det-checkpoint {checkpoint}' in demo.printed and checkpoint.is_file()
    assert demo.trained.detections == str(demo.root / 'detector' / 'person_detections_val.json')


def test_config_by_name(tmp_path):
    cfg = demo_config(CONFIG.stem, tmp_path / 'data', tmp_path / 'work', seed=3, epochs=2)
    assert cfg.train_dataloader.dataset.data_root == f'{tmp_path}/data/' and cfg.train_cfg.max_epochs == 2
    path, weights = find_detector(CONFIG.stem)
    assert Path(path).resolve() == CONFIG and weights is None
