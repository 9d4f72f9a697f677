"""Our network against the authors' release: the same weights, the same input, the same numbers."""

import golden
import numpy as np
import pytest
import torch
from mmpose.apis import init_model

from mmtranspose.models.released_weights import rename

VARIANTS = ('r-a3', 'h-s')


@pytest.fixture(scope='module', params=VARIANTS)
def variant(request):
    return request.param


@pytest.fixture(scope='module')
def model(variant, tmp_path_factory):
    checkpoint = tmp_path_factory.mktemp('released') / f'{variant}.pth'
    torch.save(golden.released_state_dict(variant), checkpoint)
    return init_model(golden.config_path(variant), str(checkpoint), device='cpu')


def test_heatmaps_and_gradients(model, variant):
    heatmaps = model(golden.golden_input(), None, mode='tensor')
    np.testing.assert_allclose(heatmaps.detach().numpy(), golden.arrays(variant)['heatmaps'], atol=1e-5)
    model.zero_grad()
    heatmaps.square().mean().backward()
    ours = {name: parameter.grad.norm().item() for name, parameter in model.named_parameters()}
    theirs = {rename(name): norm for name, norm in golden.facts(variant)['grad_norm'].items()}
    assert ours.keys() == theirs.keys()
    for name, norm in theirs.items():
        assert ours[name] == pytest.approx(norm, rel=1e-3), name


def test_parameter_counts(model, variant):
    facts = golden.facts(variant)
    ours = sum(parameter.numel() for parameter in model.parameters())
    h, w = facts['grid_hw']
    assert ours == facts['params_trainable']
    assert ours + h * w * model.neck.position_encoding.embed_dims == facts['params_total']


def test_position_table(model, variant):
    table = model.neck.position_encoding.table(*golden.facts(variant)['grid_hw'])
    np.testing.assert_allclose(table.numpy(), golden.arrays(variant)['pos_embedding'], atol=1e-6)


def test_every_released_tensor_has_a_place(model, variant):
    released = golden.released_state_dict(variant)
    names = {rename(name) for name in released} - {'backbone.pos_embedding'}
    assert names == set(model.state_dict())


@pytest.mark.parametrize(
    ('name', 'total'), [('r-a3', 5195345), ('r-a4', 5985105), ('h-s', 8019281), ('h-a4', 17306129), ('h-a6', 17455697)]
)
def test_parameters_of_all_variants(name, total):
    model = init_model(golden.config_path(name), device='cpu')
    heads = model.neck.encoder.layers[0].self_attn.num_heads
    d, stride = model.neck.projection.out_channels, {'r': 8, 'h': 4}[name[0]]
    grid = (256 // stride) * (192 // stride)
    assert sum(parameter.numel() for parameter in model.parameters()) + grid * d == total
    assert heads == {'r': 8, 'h': 1}[name[0]]
