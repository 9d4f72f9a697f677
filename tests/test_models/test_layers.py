import math

import pytest
import torch
from torch import nn

from mmtranspose.errors import InputError
from mmtranspose.models.layers import (
    EncoderLayer,
    LearnablePositionEncoding,
    SelfAttention,
    SinePositionEncoding,
    TransformerEncoder,
    build_position_encoding,
)


def reference_attention(ours: SelfAttention) -> nn.MultiheadAttention:
    """PyTorch's own attention with the same weights, which holds the whole matrix."""
    theirs = nn.MultiheadAttention(ours.embed_dims, ours.num_heads, batch_first=True)
    theirs.load_state_dict(ours.state_dict())
    return theirs.eval()


@pytest.mark.parametrize('heads', [1, 2, 8])
def test_self_attention_equals_pytorchs(heads):
    torch.manual_seed(0)
    ours = SelfAttention(16, heads).eval()
    nn.init.normal_(ours.in_proj_bias)
    x, pos = torch.randn(2, 12, 16), torch.randn(12, 16)
    theirs, _ = reference_attention(ours)(x + pos, x + pos, x, need_weights=True)
    assert torch.allclose(ours(x, pos), theirs, atol=1e-6)
    assert not torch.allclose(ours(x), theirs, atol=1e-3)


def test_attention_dropout_acts_while_training_only():
    torch.manual_seed(0)
    layer = SelfAttention(8, 2, dropout=0.5)
    x = torch.randn(1, 6, 8)
    assert not torch.equal(layer(x), layer(x))
    layer.eval()
    assert torch.equal(layer(x), layer(x))


@pytest.mark.parametrize(('dims', 'heads'), [(10, 3), (8, 0), (96, 5)])
def test_heads_must_divide_dims(dims, heads):
    with pytest.raises(InputError, match=f'num_heads={heads} does not divide embed_dims={dims}'):
        SelfAttention(dims, heads)


def test_encoder_layer_equals_pytorchs_post_norm_layer():
    """Without positions it is PyTorch's post-norm layer."""
    torch.manual_seed(0)
    ours = EncoderLayer(16, num_heads=4, feedforward_channels=32).eval()
    theirs = nn.TransformerEncoderLayer(16, 4, 32, batch_first=True, norm_first=False).eval()
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(2, 7, 16)
    assert torch.allclose(ours(x), theirs(x), atol=1e-6)


def test_position_enters_every_layer_but_no_value():
    """With zero query and key weights attention is uniform, so positions must have no effect at all."""
    torch.manual_seed(0)
    encoder = TransformerEncoder(3, embed_dims=8, num_heads=2, feedforward_channels=16).eval()
    x, pos = torch.randn(1, 5, 8), torch.randn(5, 8)
    with_all = encoder(x, pos)
    for index in range(3):
        with torch.no_grad():
            kept = encoder.layers[index].self_attn.in_proj_weight.clone()
            encoder.layers[index].self_attn.in_proj_weight[:16] = 0
        assert not torch.allclose(encoder(x, pos), with_all, atol=1e-4), f'layer {index} ignores positions'
        with torch.no_grad():
            encoder.layers[index].self_attn.in_proj_weight.copy_(kept)
    with torch.no_grad():
        for layer in encoder.layers:
            layer.self_attn.in_proj_weight[:16] = 0
    assert torch.equal(encoder(x, pos), encoder(x))


def test_initialisation_is_xavier_uniform():
    torch.manual_seed(0)
    encoder = TransformerEncoder(1, embed_dims=64, num_heads=1, feedforward_channels=128)
    encoder.init_weights()
    layer = encoder.layers[0]
    for weight in (layer.self_attn.in_proj_weight, layer.self_attn.out_proj.weight, layer.linear1.weight):
        bound = math.sqrt(6 / sum(weight.shape))
        assert 0.97 * bound < weight.abs().max().item() <= bound
        assert weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.05)


def test_sine_by_hand():
    """d = 4 on a 2 x 3 grid: channels are sin y, cos y, sin x, cos x of 2 pi times the share of the way."""
    table = SinePositionEncoding(4).table(2, 3).reshape(2, 3, 4)
    for row in range(2):
        for col in range(3):
            y, x = 2 * math.pi * (row + 1) / 2, 2 * math.pi * (col + 1) / 3
            expected = torch.tensor([math.sin(y), math.cos(y), math.sin(x), math.cos(x)])
            assert torch.allclose(table[row, col], expected, atol=2e-5)


def test_sine_frequencies():
    """Channel pair 2i, 2i + 1 has wavelength temperature ** (2i / (d / 2))."""
    table = SinePositionEncoding(16, temperature=100.0).table(5, 1)
    angle = 2 * math.pi * 3 / 5
    for i in range(4):
        assert table[2, 2 * i].item() == pytest.approx(math.sin(angle / 100 ** (2 * i / 8)), abs=1e-5)
        assert table[2, 2 * i + 1].item() == pytest.approx(math.cos(angle / 100 ** (2 * i / 8)), abs=1e-5)


def test_sine_follows_the_grid():
    encoding, like = SinePositionEncoding(8), torch.zeros(1)
    first = encoding((4, 3), like)
    assert encoding((4, 3), like) is first
    assert torch.equal(encoding((6, 2), like), encoding.table(6, 2))
    assert encoding((4, 3), like.double()).dtype == torch.float64
    assert list(encoding.state_dict()) == []


def test_sine_made_in_inference_mode_serves_training():
    encoding = SinePositionEncoding(8)
    weight = torch.ones(8, requires_grad=True)
    with torch.inference_mode():
        encoding((2, 2), weight)
    (encoding((2, 2), weight) * weight).sum().backward()
    assert torch.allclose(weight.grad, encoding.table(2, 2).sum(0))


def test_learnable_is_interpolated():
    torch.manual_seed(0)
    encoding, like = LearnablePositionEncoding(4, (4, 4)), torch.zeros(1)
    assert torch.equal(encoding((4, 4), like), encoding.weight)
    with torch.no_grad():
        encoding.weight.copy_(torch.arange(4.0).repeat(4)[:, None].expand(16, 4))
    wide = encoding((4, 8), like).reshape(4, 8, 4)[:, :, 0]

    def cubic(distance, a=-0.75):  # Keys' kernel, as PyTorch has it
        d = abs(distance)
        return (a + 2) * d**3 - (a + 3) * d**2 + 1 if d <= 1 else a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a

    expected = sum(column * cubic(1.25 - column) for column in range(4))  # new column 3 lies at old 1.25
    assert wide[0, 3].item() == pytest.approx(expected, abs=1e-5)
    assert wide[0, 4].item() == pytest.approx(3 - expected, abs=1e-5)
    assert torch.allclose(wide[0], wide[3])


@pytest.mark.parametrize(
    ('kind', 'dims', 'grid', 'words'),
    [
        ('cosine', 8, None, "position_encoding='cosine' is unknown"),
        ('sine', 6, None, 'embed_dims divisible by 4, not 6'),
        ('learnable', 8, None, 'needs grid=(h, w)'),
    ],
)
def test_position_encoding_errors(kind, dims, grid, words):
    with pytest.raises(InputError) as error:
        build_position_encoding(kind, dims, grid)
    assert words in str(error.value)


def test_no_position_encoding():
    assert build_position_encoding(None, 8, None) is None
