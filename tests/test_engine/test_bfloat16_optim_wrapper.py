"""Mixed precision in bfloat16, on the CPU."""

import logging
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from mmengine.logging import MMLogger
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from tiny import tiny_transpose
from torch import nn

from mmtranspose.engine.optim import Bfloat16OptimWrapper, supports_bfloat16

CODEC = dict(type='UnbiasedHeatmap', input_size=(48, 64), heatmap_size=(12, 16), sigma=1.5)
HEAD = dict(deconv_out_channels=(8,), decoder=CODEC, loss=dict(type='KeypointMSELoss', use_target_weight=True))


def wrapped(model, **options):
    init_default_scope('mmpose')
    kind = dict(type='Bfloat16OptimWrapper', optimizer=dict(type='Adam', lr=1e-2, fused=True), **options)
    return build_optim_wrapper(model, kind)


@pytest.fixture
def batch():
    keypoints = torch.rand(2, 3, 2) * torch.tensor([47.0, 63.0])
    labels = dict(keypoint_labels=keypoints, keypoint_weights=torch.ones(2, 3))
    return dict(inputs=torch.randn(2, 3, 64, 48), data_samples=labels)


@pytest.mark.parametrize(('device_type', 'dtype'), [('cpu', torch.bfloat16), (None, torch.float32)])
def test_what_is_calculated_in_what(batch, device_type, dtype, monkeypatch):
    """Layers in bfloat16; targets, loss, weights and their gradients in float32."""
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    model = tiny_transpose(head=HEAD).train()
    seen = {}
    for name in ('backbone.conv1', 'neck.encoder.layers.0.linear1', 'head.final_layer'):
        module = model.get_submodule(name)
        module.register_forward_hook(lambda _, args, out, name=name: seen.update({name: out.dtype}))
    compare = model.head.loss_module.forward

    def loss(output, target, weights):
        seen.update(target=target.dtype, weights=weights.dtype)
        return compare(output, target, weights)

    model.head.loss_module.forward = loss
    wrapper = wrapped(model, device_type=device_type)
    logs = model.train_step(batch, wrapper)
    assert seen.pop('target') is seen.pop('weights') is logs['loss'].dtype is torch.float32
    assert list(seen.values()) == [dtype] * 3
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


def test_the_loss_is_that_of_the_rounded_heatmaps(batch):
    """Squares and mean are not rounded themselves."""
    model = tiny_transpose(head=HEAD).train()
    kept = []
    model.head.final_layer.register_forward_hook(lambda _, args, out: kept.append(out.detach()))
    with wrapped(model, device_type='cpu').optim_context(model):
        found = model(**batch, mode='loss')['loss_kpt']
    labels = batch['data_samples']
    targets, _ = model.head.decoder.render(labels['keypoint_labels'], labels['keypoint_weights'])
    assert kept[0].dtype is torch.bfloat16
    torch.testing.assert_close(found, F.mse_loss(kept[0].float(), targets), rtol=1e-6, atol=0)


def test_it_learns_as_in_float32(batch):
    losses = []
    for device_type in ('cpu', None):
        torch.manual_seed(0)
        model = tiny_transpose(head=HEAD, dropout=0.0).train()
        wrapper = wrapped(model, device_type=device_type)
        losses.append([model.train_step(batch, wrapper)['loss'].item() for _ in range(12)])
    assert losses[0] != losses[1] and losses[0] == pytest.approx(losses[1], rel=0.05)
    assert losses[0][-1] < 0.9 * losses[0][0]


def test_checkpoints_are_those_of_mmengines_wrapper(batch):
    model = tiny_transpose(head=HEAD).train()
    wrapper = wrapped(model, device_type='cpu')
    model.train_step(batch, wrapper)
    plain = build_optim_wrapper(model, dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=1e-2, fused=True)))
    assert set(wrapper.state_dict()) == set(plain.state_dict()) == {'state', 'param_groups'}
    plain.load_state_dict(wrapper.state_dict())


@pytest.mark.parametrize(
    ('available', 'native', 'expected'), [(True, True, True), (True, False, False), (False, True, False)]
)
def test_where_it_is_used(monkeypatch, available, native, expected):
    """By a GPU that has it itself; an emulation is slower than float32."""
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: available)
    monkeypatch.setattr(torch.cuda, 'is_bf16_supported', lambda including_emulation=True: native or including_emulation)
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '0')  # mmengine's logger looks
    lines = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())
    logger = MMLogger.get_instance('bfloat16', log_level='INFO')
    logger.addHandler(handler)
    wrapper = Bfloat16OptimWrapper(optimizer=torch.optim.Adam(nn.Linear(1, 1).parameters()))
    assert supports_bfloat16() is expected
    assert wrapper.device_type == ('cuda' if expected else None)
    assert lines == ([] if expected else ['no GPU that supports bfloat16: training in float32'])


def test_gradients_are_summed_up_as_mmengine_does():
    model = SimpleNamespace(layer=nn.Linear(2, 1))
    optimizer = torch.optim.SGD(model.layer.parameters(), lr=1.0)
    wrapper = Bfloat16OptimWrapper(device_type='cpu', optimizer=optimizer, accumulative_counts=2)
    before = model.layer.weight.detach().clone()
    for step in range(2):
        with wrapper.optim_context(model.layer):
            loss = model.layer(torch.ones(1, 2)).sum()
        wrapper.update_params(loss)
        assert torch.equal(model.layer.weight, before) is (step == 0)
    torch.testing.assert_close(model.layer.weight, before - 1, rtol=0, atol=1e-6)  # the mean of two gradients of 1
