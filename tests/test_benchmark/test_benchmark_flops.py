"""Multiply-accumulates against counts by hand, and the paper's variants."""

import functools
import json

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mmtranspose.benchmark.multiply_accumulates import count, count_macs, deconvolutions
from mmtranspose.errors import InputError


@functools.cache
def counted_once(config, shape):
    return count(config, shape)


def counted(config, shape=None):
    return counted_once(config, shape)


@pytest.mark.parametrize(
    ('variant', 'giga', 'parameters'),
    [
        ('r-a3', 5.41, 5_195_345 - 768 * 256),
        ('r-a4', 6.32, 5_985_105 - 768 * 256),
        ('h-s', 9.93, 8_019_281 - 3072 * 64),
        ('h-a4', 17.21, 17_306_129 - 3072 * 96),
        ('h-a6', 21.28, 17_455_697 - 3072 * 96),
    ],
)
def test_variants(variant, giga, parameters):
    """Figures of the authors' release, whose parameters hold the sine table."""
    found = counted(f'transpose-{variant}')
    assert found.total == pytest.approx(1e9 * giga, rel=0.01)
    assert found.parameters == parameters and found.shape == (256, 192)
    assert found.total == sum(found.macs[part] for part in ('backbone', 'neck')) + _head(found.macs)


def _head(macs):
    return macs['head.final_layer'] + macs.get('head.deconv_layers', 0)


class Attention(nn.Module):
    def forward(self, q, k, v):
        return F.scaled_dot_product_attention(q, k, v)


@pytest.mark.parametrize(
    ('module', 'shapes', 'macs'),
    [
        (nn.Linear(3, 5), [(7, 3)], 7 * 3 * 5),
        (nn.Conv2d(3, 8, 3, padding=1, bias=False), [(2, 3, 4, 5)], 2 * 4 * 5 * 8 * 3 * 9),
        (nn.ConvTranspose2d(3, 8, 4, 2, 1), [(1, 3, 4, 5)], 8 * 10 * 8 * 3 * 4),  # 4 of 16 taps meet an output cell
        (Attention(), [(1, 2, 6, 4)] * 3, 2 * (6 * 6 * 4) * 2),
    ],
    ids=['linear', 'convolution', 'deconvolution', 'attention'],
)
def test_by_hand(module, shapes, macs):
    assert count_macs(module.to('meta'), *(torch.empty(shape, device='meta') for shape in shapes))[''] == macs


def test_encoder_layer_by_hand():
    """R-A3: 768 tokens of 256 channels, feed-forward 1024; twice 768 x 768 x 256 of it is attention."""
    found, n, d = counted('transpose-r-a3'), 768, 256
    assert found.macs['neck.encoder.layers.1.self_attn'] == 4 * n * d * d + 2 * n * n * d
    assert found.macs['neck.encoder.layers.1'] == 4 * n * d * d + 2 * n * n * d + 2 * n * d * 1024
    assert deconvolutions(found) == 64 * 48 * 256 * 256 * 4


def test_attention_grows_with_the_square_of_the_area():
    small, large = (counted('transpose-h-s', shape).macs for shape in ((128, 96), None))
    assert large['backbone'] == 4 * small['backbone']
    assert large['neck'] - 4 * small['neck'] == 4 * 2 * 64 * (3072**2 - 4 * 768**2)


@pytest.mark.parametrize(
    ('config', 'shape', 'words'),
    [
        ('transpose-h-s', (0, 192), '--shape 0 192: height and width must be at least 1'),
        ('transpose-h-s', (250, 190), '--shape 250 190: the network cannot take it'),
        ('no-such-model', None, 'config no-such-model does not exist'),
    ],
)
def test_mistakes(config, shape, words):
    with pytest.raises(InputError, match=words):
        count(config, shape)


def test_command_line(run_command, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr('mmtranspose.commands.flops.count', counted)
    flags = ('transpose-r-a3', 'transpose-h-s', '--by-module', '1', '--json', tmp_path / 'flops.json')
    run_command('flops', *flags)
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ['transpose-r-a3', '256x192', '5.41', '7.83', '8.0', '4,998,737']
    assert lines[2].split() == ['transpose-h-s', '256x192', '9.93', '9.93', '10.2', '7,822,673']
    assert any('deconvolution (4x4, stride 2)' in line for line in lines)
    assert ['backbone', '1.78', '32.8%'] in [line.split() for line in lines]
    written = json.loads((tmp_path / 'flops.json').read_text())
    assert written['transpose-r-a3']['macs'] == counted('transpose-r-a3').total
    assert written['transpose-r-a3']['modules']['head.deconv_layers'] == 64 * 48 * 256 * 256 * 4
