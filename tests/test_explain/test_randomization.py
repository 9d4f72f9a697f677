"""The randomisation check: which weights are drawn anew when, and how maps compare."""

import copy

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from tiny import tiny_transpose
from torch import nn

from mmtranspose.errors import UnsupportedModelError
from mmtranspose.explain.methods import AttentionMap, Gaussian, GradientAttention, InputGradient, Rollout
from mmtranspose.explain.randomization import (
    cascade_blocks,
    randomization_check,
    randomized_networks,
    rank_correlation,
)
from mmtranspose.explain.target import Target

BLOCKS = [
    'head.final_layer',
    'head.deconv_layers',
    'neck.encoder.layers.1',
    'neck.encoder.layers.0',
    'neck.position_encoding',
    'neck.projection',
    'backbone.layer2',
    'backbone.layer1',
    'backbone.bn1',
    'backbone.conv1',
]


@pytest.fixture
def model():
    """With learnable positions, and norms that are not as at the start."""
    model = tiny_transpose(head=dict(deconv_out_channels=(8,)), position_encoding='learnable', grid=(8, 6)).eval()
    for tensor in (*model.parameters(), *model.buffers()):
        if tensor.is_floating_point():
            tensor.data.add_(0.1 * torch.rand_like(tensor))
    return model


@pytest.fixture
def case(model):
    inputs = torch.randn(2, 3, 64, 48)
    with torch.no_grad():
        return model, inputs, Target.of(model.head.forward(model.extract_feat(inputs)), (8, 6))


def changed(network, model):
    """Names of parameters and buffers whose values differ in most places."""
    before = model.state_dict()
    return {name for name, value in network.state_dict().items() if (value != before[name]).float().mean() > 0.9}


def test_cascade_of_the_paper_s_networks():
    assert list(cascade_blocks(tiny_transpose())) == [
        block for block in BLOCKS if block not in ('head.deconv_layers', 'neck.position_encoding')
    ]
    from mmpose.registry import MODELS

    network = tiny_transpose()
    network.backbone = MODELS.build(dict(type='HRNetSmall'))
    stem = ['stage3', 'transition2', 'stage2', 'transition1', 'layer1', 'bn2', 'conv2', 'bn1', 'conv1']
    assert list(cascade_blocks(network))[-len(stem) :] == [f'backbone.{name}' for name in stem]
    assert {p for block in cascade_blocks(network).values() for p in block.parameters()} == set(network.parameters())


def test_every_weight_of_a_block_is_drawn_when_its_turn_comes(model):
    original = copy.deepcopy(model.state_dict())
    state = torch.get_rng_state()
    due = set()
    for name, network in randomized_networks(model):
        due |= {key for key in original if key.startswith(f'{name}.') and not key.endswith('num_batches_tracked')}
        assert changed(network, model) == due
    assert [name for name, _ in randomized_networks(model)] == BLOCKS
    assert due == {key for key in original if not key.endswith('num_batches_tracked')}
    assert {'neck.encoder.layers.0.self_attn.in_proj_weight', 'neck.position_encoding.weight'} <= due
    assert all(torch.equal(value, original[key]) for key, value in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)


def test_blocks_alone(model):
    for name, network in randomized_networks(model, cascading=False):
        own = {key for key in model.state_dict() if key.startswith(f'{name}.') and 'num_batches' not in key}
        assert changed(network, model) == own


def test_the_seed_decides(model):
    def last(seed):
        return [copy.deepcopy(network.state_dict()) for _, network in randomized_networks(model, seed)][-1]

    first, again, other = last(0), last(0), last(1)
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not torch.equal(first['neck.projection.weight'], other['neck.projection.weight'])
    assert not torch.equal(first['neck.encoder.layers.0.linear1.weight'], first['neck.encoder.layers.1.linear1.weight'])


def test_check(case):
    methods = [AttentionMap(1), AttentionMap(2), Rollout(), GradientAttention(), InputGradient(), Gaussian()]
    report = randomization_check(*case, methods)
    assert list(report) == [method.name for method in methods]
    assert all(list(by_block) == BLOCKS for by_block in report.values())
    for name in ('attention-1', 'attention-2', 'rollout'):  # do not read the head
        for block in BLOCKS[:2]:
            np.testing.assert_allclose(report[name][block], np.ones((2, 3)), atol=1e-12)
    np.testing.assert_allclose(report['attention-1'][BLOCKS[2]], np.ones((2, 3)), atol=1e-12)
    assert report['attention-2'][BLOCKS[2]].mean() < 0.9
    assert report['gradient-attention'][BLOCKS[0]].mean() < 0.9
    for name in ('attention-1', 'attention-2', 'rollout', 'gradient-attention'):
        assert report[name][BLOCKS[-1]].mean() < 0.9
    assert report['input-gradient'][BLOCKS[-1]].mean() < 0.99
    for block in BLOCKS:
        np.testing.assert_allclose(report['gaussian'][block], np.ones((2, 3)), atol=1e-12)


def test_rank_correlation():
    a, b = torch.randn(2, 3, 4, 5), torch.randn(2, 3, 4, 5).round()  # rounded: ties
    expected = [[spearmanr(a[i, k].flatten(), b[i, k].flatten())[0] for k in range(3)] for i in range(2)]
    np.testing.assert_allclose(rank_correlation(a, b), expected, atol=1e-12)
    assert np.isnan(rank_correlation(a, torch.zeros_like(a))).all()


def test_a_parameter_that_nothing_draws_is_named(model):
    model.neck.scale = nn.ParameterList([nn.Parameter(torch.ones(2))])
    with pytest.raises(UnsupportedModelError, match='neck.scale.0 cannot be drawn anew: ParameterList has no'):
        list(randomized_networks(model))
