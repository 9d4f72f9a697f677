"""The encoder's and the explanations' benchmarks compare like with like, one of each without the matrices."""

import golden
import pytest
import torch

from mmtranspose.benchmark.candidate import Way
from mmtranspose.benchmark.measurement import compare
from mmtranspose.benchmark.modes.encoder import build_encoder, build_step
from mmtranspose.benchmark.modes.explanation import TOLERANCES, WAYS, build_way
from mmtranspose.benchmark.networks import MaterialisedAttention

TINY = str(golden.CONFIGS / 'synthetic' / 'td-hm_transpose-r-tiny_1xb16-10e_synthetic-128x96.py')


def test_encoders_agree():
    fused, pos = build_encoder(TINY, materialised=False)
    plain, same_pos = build_encoder(TINY, materialised=True)
    assert pos.shape == (16 * 12, 96) and torch.equal(pos, same_pos)
    assert all(isinstance(layer.self_attn, MaterialisedAttention) for layer in plain.layers)
    torch.manual_seed(0)
    tokens = torch.randn(2, *pos.shape)
    a, b = tokens.clone().requires_grad_(), tokens.clone().requires_grad_()
    out_a, out_b = fused(a, pos), plain(b, pos)
    assert torch.allclose(out_a, out_b, atol=1e-5)
    out_a.square().mean().backward()
    out_b.square().mean().backward()
    assert torch.allclose(a.grad, b.grad, atol=1e-7)


@pytest.mark.parametrize(('name', 'grid', 'layers'), [('h-a6', 64 * 48, 6), ('r-a3', 32 * 24, 3)])
def test_grid_of_the_paper_configs(name, grid, layers):
    encoder, pos = build_encoder(golden.config_path(name), materialised=False)
    assert len(encoder.layers) == layers
    assert pos.shape[0] == grid


def test_encoder_steps_agree():
    norms = []
    for materialised in (False, True):
        task = build_step(TINY, 1, materialised, 'cpu')
        norms.append(task.outputs(task.run())['norm'])
    encoder, pos = build_encoder(TINY, materialised=False)
    torch.manual_seed(1)
    expected = encoder(torch.randn(1, *pos.shape), pos).norm().item()
    assert norms == [pytest.approx(expected, rel=1e-5)] * 2


@pytest.mark.parametrize('direction', ['dependency', 'affect'])
def test_ways_of_explaining_agree(direction):
    tasks = {way: build_way(way, TINY, 2, 'cpu', direction) for way in WAYS}
    plain, explained, whole = outputs = [task.outputs(task.run()) for task in tasks.values()]
    assert set(plain) == {'heatmaps'} and explained['maps'].shape == (2, 2, 17, 16, 12)
    assert abs(explained['maps'] - whole['maps']).max() < 1e-6
    references = {}
    for way, found in zip(WAYS, outputs):
        compare(Way(way, build_way, tolerances=TOLERANCES[way]), found, references)
    for way, name, error in (('explained', 'heatmaps', 1e-6), ('whole matrices', 'maps', 0.01)):
        changed = dict(outputs[WAYS.index(way)])
        changed[name] = changed[name] + error
        with pytest.raises(RuntimeError, match=f'{way}: {name} differs'):
            compare(Way(way, build_way, tolerances=TOLERANCES[way]), changed, references)
