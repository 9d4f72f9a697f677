"""Attention in blocks of rows against PyTorch's, in float64."""

import pytest
import torch
import torch.nn.functional as F

from mmtranspose.acceleration import fused_encoder as attention
from mmtranspose.acceleration.fused_encoder import attend


def projections(tokens, channels, dtype, batch=2, heads=2):
    """Queries, keys and values as the fused projection gives them: views of one tensor."""
    qkv = torch.randn(batch, tokens, 3 * heads * channels).to(dtype)
    return qkv.unflatten(-1, (3, heads, -1)).permute(2, 0, 3, 1, 4).unbind(0)


@pytest.mark.parametrize('tokens', [1, 512, 700])
def test_blocks(tokens, monkeypatch):
    q, k, v = projections(tokens, 96, torch.bfloat16)
    exact = F.scaled_dot_product_attention(q.double(), k.double(), v.double())
    theirs = (F.scaled_dot_product_attention(q, k, v).double() - exact).abs().mean()
    monkeypatch.setattr(attention.F, 'scaled_dot_product_attention', lambda *a: pytest.fail('not in blocks'))
    found = attend(q, k, v)
    assert found.shape == q.shape and found.dtype == torch.bfloat16
    assert (found.double() - exact).abs().mean() <= 3 * theirs + 1e-9
    assert (found.double() - exact).abs().max() < 0.04 * exact.abs().max()
    assert found.transpose(1, 2).is_contiguous()


@pytest.mark.parametrize(('channels', 'dtype'), [(32, torch.bfloat16), (96, torch.float32)], ids=str)
def test_pytorchs_where_it_is_no_slower(channels, dtype, monkeypatch):
    q, k, v = projections(40, channels, dtype)
    expected = F.scaled_dot_product_attention(q, k, v)
    monkeypatch.setattr(attention, 'ROWS_AT_ONCE', None)  # blocks would fail
    assert torch.equal(attend(q, k, v), expected)


def test_compiled_code_has_pytorchs(monkeypatch):
    monkeypatch.setattr(attention, 'ROWS_AT_ONCE', None)
    q, k, v = projections(40, 96, torch.bfloat16)
    expected = F.scaled_dot_product_attention(q, k, v)
    assert torch.equal(torch.compile(attend, backend='eager', fullgraph=True)(q, k, v), expected)
