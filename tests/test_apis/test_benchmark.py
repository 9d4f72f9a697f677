"""The benchmark compares like with like: both encoders compute the same, one of them without the matrices."""

import golden
import pytest
import torch

from mmtranspose.apis.benchmark.encoder import _step, build_encoder
from mmtranspose.apis.benchmark.explanation import WAYS, _compare, _peak, _prepared
from mmtranspose.apis.benchmark.materialised import MaterialisedAttention
from mmtranspose.apis.benchmark.process import in_own_process

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


def test_step_measures():
    fused, plain = (_step(TINY, 1, materialised, 'cpu', 1) for materialised in (False, True))
    assert fused['checksum'] == pytest.approx(plain['checksum'], rel=1e-5)
    assert fused['seconds'] > 0 and fused['peak_mib'] >= 0


@pytest.mark.parametrize('direction', ['dependency', 'affect'])
def test_ways_of_explaining_agree(direction):
    plain, explained, whole = (_prepared(way, TINY, 2, 'cpu', direction)() for way in WAYS)
    assert torch.equal(plain[0], explained[0]) and plain[1] is None
    torch.testing.assert_close(whole[0], plain[0], rtol=0, atol=1e-4)
    assert explained[1].shape == (2, 2, 17, 16, 12)
    torch.testing.assert_close(explained[1], whole[1], rtol=0, atol=1e-6)
    _compare(plain, explained, whole)
    with pytest.raises(RuntimeError, match='maps of the two ways differ'):
        _compare(plain, explained, (whole[0], whole[1] + 0.01))
    with pytest.raises(RuntimeError, match='explaining changed the heatmaps'):
        _compare((plain[0] + 1e-6, None), explained, whole)


def test_peak_sees_the_matrices():
    """H-S keeps 4 matrices of 3072 x 3072 float32, 36 MiB each; that the parent has used memory does not hide them."""
    used = torch.ones(2**27).sum()  # 512 MiB, freed again
    config = golden.config_path('h-s')
    plain, whole = (in_own_process(_peak, way, config, 1, 'cpu', 'dependency') for way in ('forward', 'whole matrices'))
    assert used == 2**27 and plain > 0 and whole > plain + 100
