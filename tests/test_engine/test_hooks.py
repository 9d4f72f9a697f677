"""Hooks that stock runners take."""

import json
from types import SimpleNamespace

import pytest
import torch
from conftest import SYNTHETIC_CONFIG
from mmengine.config import Config
from mmpose.registry import HOOKS
from torch import nn

from mmtranspose.engine.hooks import ChannelsLastHook, SaveMetricsHook


@pytest.fixture
def model():
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ConvTranspose2d(8, 4, 4, 2, 1)).eval()


def order(weight):
    return weight.is_contiguous(memory_format=torch.channels_last), weight.is_contiguous()


def test_weights_are_put_in_order(model):
    assert order(model[0].weight) == (False, True)
    values = {name: value.clone() for name, value in model.state_dict().items()}
    HOOKS.build(dict(type='ChannelsLastHook')).before_run(SimpleNamespace(model=model))
    assert order(model[0].weight) == order(model[2].weight) == (True, False)
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, values[name], rtol=0, atol=0)


def test_results_stay_and_maps_follow(model):
    image = torch.randn(2, 3, 10, 14)
    expected = model(image)
    ChannelsLastHook().before_run(SimpleNamespace(model=model))
    found = model(image)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    assert order(model[0](image)) == (True, False)


def test_parameters_are_the_same_objects(model):
    # an optimiser that was made before must go on with these
    before = [parameter.data_ptr() for parameter in model.parameters()], list(model.parameters())
    ChannelsLastHook().before_run(SimpleNamespace(model=model))
    assert all(a is b for a, b in zip(before[1], model.parameters()))


def test_the_synthetic_config_uses_it():
    kinds = [hook['type'] for hook in Config.fromfile(str(SYNTHETIC_CONFIG)).custom_hooks]
    assert 'ChannelsLastHook' in kinds and 'SyncBuffersHook' in kinds


def test_a_trained_models_checkpoint_is_as_always(tiny_checkpoint):
    weights = torch.load(tiny_checkpoint, weights_only=True)['state_dict']
    assert weights['backbone.conv1.weight'].shape[1:] == (3, 7, 7)


@pytest.mark.parametrize(
    ('rank', 'metrics', 'written'), [(0, {'coco/AP': 0.5}, True), (1, {'coco/AP': 0.5}, False), (0, None, False)]
)
def test_metrics_are_written_by_the_main_process(tmp_path, rank, metrics, written):
    hook = HOOKS.build(dict(type='SaveMetricsHook', path=str(tmp_path / 'new' / 'metrics.json')))
    hook.after_test_epoch(SimpleNamespace(rank=rank), metrics)
    assert (tmp_path / 'new' / 'metrics.json').exists() == written
    if written:
        assert json.loads((tmp_path / 'new' / 'metrics.json').read_text()) == metrics


def test_metrics_are_written_after_other_hooks_saw_them():
    assert SaveMetricsHook.priority == 'LOWEST'
