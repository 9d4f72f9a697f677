"""``import mmtranspose`` makes the modules known to MMPose, without loading MMPose's."""

import subprocess
import sys
from types import SimpleNamespace

import mmengine.hub
import numpy as np
import pytest
import torch
from conftest import ROOT
from golden import arrays, golden_input, released_state_dict
from mmengine.config import Config
from mmengine.hub import get_config, get_model
from mmengine.infer import BaseInferencer
from mmengine.registry import FUNCTIONS, DefaultScope
from mmpose.apis import Pose2DInferencer
from mmpose.apis.inferencers import get_model_aliases
from mmpose.registry import HOOKS, KEYPOINT_CODECS, MODELS, OPTIM_WRAPPERS, TRANSFORMS

from mmtranspose import registration
from mmtranspose.loading import zoo
from mmtranspose.loading.init_model import init_model

LAZY = """
import os, sys
os.environ.pop('OMP_WAIT_POLICY', None)
import mmtranspose
assert os.environ.get('OMP_WAIT_POLICY') == 'passive', 'torch was imported before its threads were told to sleep'
heavy = {'mmengine.runner', 'mmengine.infer'}
heavy |= {'mmpose.models', 'mmpose.datasets', 'mmpose.codecs', 'mmpose.engine.hooks'}
loaded = heavy & set(sys.modules)
assert not loaded, f'import mmtranspose loads {loaded}'
from mmengine.registry import FUNCTIONS
from mmpose.registry import HOOKS, KEYPOINT_CODECS, MODELS, OPTIM_WRAPPERS, TRANSFORMS
for registry, ours, theirs in [
    (FUNCTIONS, 'tensor_collate', 'tensor_collate'),  # mmengine's are there when its datasets are
    (OPTIM_WRAPPERS, 'Bfloat16OptimWrapper', 'AmpOptimWrapper'),
    (KEYPOINT_CODECS, 'UnbiasedHeatmap', 'UDPHeatmap'),
    (TRANSFORMS, 'UnbiasedTopdownAffine', 'TopdownAffine'),
    (HOOKS, 'ChannelsLastHook', 'PoseVisualizationHook'),
    (MODELS, 'TransPoseNeck', 'HeatmapHead'),
]:
    for name in (ours, theirs):
        found = registry.get(name)
        assert found is not None and found.__name__ == name, name
print('fine')
"""


@pytest.mark.parametrize(
    ('registry', 'name'),
    [
        (MODELS, 'ResNetSmall'),
        (MODELS, 'HRNetSmall'),
        (MODELS, 'TransPoseNeck'),
        (MODELS, 'TransPoseHead'),
        (KEYPOINT_CODECS, 'UnbiasedHeatmap'),
        (TRANSFORMS, 'UnbiasedTopdownAffine'),
        (TRANSFORMS, 'ClippedRandomBBoxTransform'),
        (HOOKS, 'ChannelsLastHook'),
        (HOOKS, 'SaveMetricsHook'),
        (OPTIM_WRAPPERS, 'Bfloat16OptimWrapper'),
        (FUNCTIONS, 'tensor_collate'),
    ],
)
def test_names(registry, name):
    module = registry.get(name)
    assert module.__name__ == name and module.__module__.startswith('mmtranspose.')


def test_modules_wait_for_mmposes():
    process = subprocess.run([sys.executable, '-c', LAZY], cwd=ROOT, capture_output=True, text=True)
    assert process.stdout.endswith('fine\n'), process.stdout + process.stderr


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package ``ours_here`` that may be imported."""
    (tmp_path / 'ours_here.py').write_text('')
    monkeypatch.syspath_prepend(tmp_path)
    yield 'ours_here'
    sys.modules.pop('ours_here', None)


def test_now_where_theirs_is_loaded(package, monkeypatch):
    registry = SimpleNamespace(_locations=['json'])
    monkeypatch.setattr(registration, 'LOCATIONS', [(registry, 'json', package)])
    registration.register_modules()
    assert package in sys.modules and registry._locations == ['json']


def test_later_where_it_is_not(package, monkeypatch):
    registry = SimpleNamespace(_locations=['theirs.not_loaded'])
    monkeypatch.setattr(registration, 'LOCATIONS', [(registry, 'theirs.not_loaded', package)])
    registration.register_modules()
    registration.register_modules()
    assert package not in sys.modules and registry._locations == ['theirs.not_loaded', package]


R_A3 = 'body_2d_keypoint/topdown_heatmap/coco/td-hm_transpose-r-a3_1xb28-230e_coco-256x192.py'


def test_hub():
    with DefaultScope.overwrite_default_scope('mmengine'):
        cfg = get_config(f'mmtranspose::{R_A3}', pretrained=True)
        model = get_model(f'mmtranspose::{R_A3}')
        assert DefaultScope.get_current_instance().scope_name == 'mmengine', 'get_model left its scope behind'
    assert cfg.model.neck.num_layers == 3
    assert cfg.model_path.endswith('/Hub/tp_r_256x192_enc3_d256_h1024_mh8.pth')
    assert type(model.head).__name__ == 'TransPoseHead'
    assert sum(value.numel() for value in model.parameters()) == 4998737


def test_hub_finds_weights_in_the_package(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (shipped,) = [model for model in zoo.models() if 'transpose-r-small_photographs' in model['Alias']]
    name = f'mmtranspose::{shipped["Config"].partition("/configs/")[2]}'
    assert get_config(name, pretrained=True).model_path == mmengine.hub.hub.get_config(name, True).model_path
    weights = get_model(name, pretrained=True).state_dict()
    expected = init_model('transpose-r-small_photographs').state_dict()
    assert weights.keys() == expected.keys()
    assert all(torch.equal(value, expected[key]) for key, value in weights.items())
    assert not hasattr(get_config('mmpose::_base_/default_runtime.py'), 'model_path')


def test_base_of_a_config_elsewhere(tmp_path):
    (tmp_path / 'mine.py').write_text(
        f"_base_ = ['mmtranspose::{R_A3}']\n"
        'model = dict(neck=dict(num_layers=5))\n'
        'codec = {{_base_.codec}}\n'
        'test_dataloader = dict(dataset=dict(pipeline={{_base_.val_pipeline}}))\n'
    )
    cfg = Config.fromfile(str(tmp_path / 'mine.py'))
    assert cfg.model.neck.num_layers == 5 and cfg.model.backbone.type == 'ResNetSmall'
    with DefaultScope.overwrite_default_scope('mmpose'):
        assert type(KEYPOINT_CODECS.build(cfg.codec)).__name__ == 'UnbiasedHeatmap'
        pipeline = [TRANSFORMS.build(step) for step in cfg.test_dataloader.dataset.pipeline]
    assert 'UnbiasedTopdownAffine' in [type(step).__name__ for step in pipeline]


class TestInferencer:
    def test_aliases_stand_beside_mmposes(self):
        aliases = get_model_aliases()
        assert aliases['transpose-h-a4'] == 'td-hm_transpose-h-a4_4xb14-240e_coco-256x192'
        assert aliases['human'] == get_model_aliases('mmpose')['human']
        ours = {name for model in zoo.models() for name in zoo.names_of(model)[1:]}
        assert len(ours) >= 15 and ours <= set(aliases)

    def test_alias_brings_config_and_weights(self, tmp_path):
        torch.save(released_state_dict('r-a3'), tmp_path / 'released.pth')
        cfg, weights = Pose2DInferencer._load_model_from_metafile(SimpleNamespace(scope='mmpose'), 'transpose-r-a3')
        assert cfg.filename.endswith(R_A3)
        assert weights == next(model['Weights'] for model in zoo.models() if 'transpose-r-a3' in zoo.names_of(model))
        inferencer = Pose2DInferencer(
            'transpose-r-a3', weights=str(tmp_path / 'released.pth'), det_model='whole_image', device='cpu'
        )
        with torch.no_grad():
            heatmaps = inferencer.model.head(inferencer.model.extract_feat(golden_input()))
        np.testing.assert_allclose(heatmaps, arrays('r-a3')['heatmaps'], rtol=0, atol=1e-4)
        image = np.random.default_rng(0).integers(0, 255, (64, 48, 3), dtype=np.uint8)
        (result,) = next(inferencer(image))['predictions'][0]
        assert len(result['keypoints']) == 17

    def test_other_packages_are_left_alone(self):
        models = BaseInferencer._get_models_from_metafile(BaseInferencer._get_repo_or_mim_dir('mmdet'))
        assert not [model for model in models if 'transpose-' in model['Name']]
