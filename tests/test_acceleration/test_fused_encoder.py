"""The encoder with one projection a layer."""

import pytest
import torch
from variants import randomised

from mmtranspose.acceleration.fused_encoder import AcceleratedNeck, FusedEncoder
from mmtranspose.errors import UnsupportedModelError
from mmtranspose.models.layers import EncoderLayer, TransformerEncoder
from mmtranspose.models.necks import TransPoseNeck


def encoder(**options):
    layer = dict(embed_dims=16, num_heads=2, feedforward_channels=24) | options
    return randomised(TransformerEncoder(2, **layer)).eval().requires_grad_(False)


@pytest.mark.parametrize('num_heads', [1, 4])
@pytest.mark.parametrize('with_positions', [True, False])
def test_it_computes_the_encoder(num_heads, with_positions):
    plain = encoder(num_heads=num_heads)
    fused = FusedEncoder(plain, torch.float32)
    x, pos = torch.randn(3, 20, 16), torch.randn(20, 16) if with_positions else None
    before = x.clone()
    torch.testing.assert_close(fused(x, fused.tables(pos)), plain(x, pos), rtol=1e-5, atol=1e-5)
    assert torch.equal(x, before)


def test_the_table_is_what_positions_add():
    layer = encoder().layers[0]
    pos = torch.randn(5, 16)
    attention = layer.self_attn
    nothing = torch.zeros(1, 5, 16)
    q, k = attention.query_key(nothing, pos)
    expected = torch.cat([part.transpose(1, 2).flatten(2)[0] for part in (q, k, attention.value(nothing))], dim=-1)
    (table, _) = FusedEncoder(encoder(), torch.float32).tables(pos)
    torch.testing.assert_close(table, expected, rtol=1e-5, atol=1e-6)


def test_tables_are_computed_in_float32_and_given_in_the_dtype():
    plain, pos = encoder(), 1 + torch.randn(5, 16) / 1000  # bfloat16 keeps 1/256 of a value
    for exact, half in zip(
        FusedEncoder(plain, torch.float32).tables(pos), FusedEncoder(plain, torch.bfloat16).tables(pos)
    ):
        assert half.dtype == torch.bfloat16
        assert torch.equal(half, exact.bfloat16())


def test_one_projection_a_layer():
    plain = encoder()
    fused, x, pos = FusedEncoder(plain, torch.float32), torch.randn(1, 6, 16), torch.randn(6, 16)

    def products(function):
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], acc_events=True) as profile:
            function()
        return sum(event.count for event in profile.key_averages() if event.key == 'aten::linear')

    tables = fused.tables(pos)
    assert products(lambda: fused(x, tables)) == 2 * 4  # qkv, out, and the feed-forward network's two
    assert products(lambda: plain(x, pos)) == 2 * 5


class Odd(EncoderLayer):
    pass


def test_other_layers_are_refused():
    plain = encoder()
    plain.layers[1] = Odd(16, 2, 24)
    with pytest.raises(UnsupportedModelError, match=r'encoder\.layers\.1 is a Odd .*fuse_encoder=False'):
        FusedEncoder(plain, torch.float32)


@pytest.mark.parametrize('fuse', [True, False])
@pytest.mark.parametrize('kind', ['sine', 'learnable', None])
def test_the_neck_on_any_grid(kind, fuse):
    neck = TransPoseNeck(
        6, embed_dims=16, num_layers=2, num_heads=2, feedforward_channels=24, position_encoding=kind, grid=(4, 3)
    )
    neck = randomised(neck).eval().requires_grad_(False)
    fast = AcceleratedNeck(neck, torch.float32, fuse).eval()
    for grid in ((4, 3), (9, 7), (2, 2), (4, 3)):  # as trained for, larger, smaller
        feats = (torch.randn(2, 6, *grid),)
        (expected,), (found,) = neck(feats), fast(feats)
        assert found.shape == (2, 16, *grid)
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_tables_are_kept_for_the_last_four_grids():
    neck = TransPoseNeck(6, embed_dims=16, num_layers=1, num_heads=2, feedforward_channels=24).eval()
    fast = AcceleratedNeck(neck, torch.float32, fuse_encoder=True)
    first = fast.tables((2, 2))
    assert fast.tables((2, 2)) is first
    for side in (3, 4, 5):
        fast.tables((side, side))
    assert fast.tables((2, 2)) is first
    fast.tables((6, 6))  # (3, 3) was used longest ago
    assert fast.tables((2, 2)) is first
    made = fast._tables.cache_info().misses
    for side in (2, 4, 5, 6):
        fast.tables((side, side))
    assert fast._tables.cache_info().misses == made
    fast.tables((3, 3))
    assert fast._tables.cache_info().misses == made + 1


def test_tables_made_in_inference_mode_serve_outside_it():
    neck = TransPoseNeck(6, embed_dims=16, num_layers=1, num_heads=2, feedforward_channels=24, grid=(2, 2)).eval()
    fast = AcceleratedNeck(neck, torch.float32, fuse_encoder=True)
    with torch.inference_mode():
        assert not any(table.is_inference() for table in fast.tables((2, 2)))
