"""``import mmtranspose`` makes the modules known to MMPose, without loading MMPose's."""

import subprocess
import sys
from types import SimpleNamespace

import pytest
from conftest import ROOT
from mmpose.registry import HOOKS, KEYPOINT_CODECS, MODELS, TRANSFORMS

from mmtranspose import registration

LAZY = """
import os, sys
os.environ.pop('OMP_WAIT_POLICY', None)
import mmtranspose
assert os.environ.get('OMP_WAIT_POLICY') == 'passive', 'torch was imported before its threads were told to sleep'
heavy = {'mmengine.runner', 'mmpose.models', 'mmpose.datasets', 'mmpose.codecs', 'mmpose.engine.hooks'}
loaded = heavy & set(sys.modules)
assert not loaded, f'import mmtranspose loads {loaded}'
from mmpose.registry import HOOKS, KEYPOINT_CODECS, MODELS, TRANSFORMS
for registry, ours, theirs in [
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
    registration.register()
    assert package in sys.modules and registry._locations == ['json']


def test_later_where_it_is_not(package, monkeypatch):
    registry = SimpleNamespace(_locations=['theirs.not_loaded'])
    monkeypatch.setattr(registration, 'LOCATIONS', [(registry, 'theirs.not_loaded', package)])
    registration.register()
    registration.register()
    assert package not in sys.modules and registry._locations == ['theirs.not_loaded', package]
