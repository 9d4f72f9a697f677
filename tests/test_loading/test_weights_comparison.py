"""Digests of weights, numbers that are not finite, and dtypes that do not fit."""

import hashlib
import struct

import pytest
import torch
from torch import nn

from mmtranspose.errors import InputError
from mmtranspose.loading.checkpoint import Checkpoint
from mmtranspose.loading.weights_comparison import compare, non_finite, weights_digest

WEIGHTS = {
    'a.weight': torch.arange(24.0).reshape(2, 3, 2, 2),
    'a.bias': torch.tensor([1.0, -0.0]),
    'b.weight': torch.arange(24.0, 48).reshape(2, 3, 2, 2),
    'steps': torch.tensor(3),
    'mask': torch.tensor([True, False]),
    'half': torch.ones(3, dtype=torch.bfloat16),
    'empty': torch.zeros(0),
}


def changed(**values):
    return {**WEIGHTS, **{name.replace('_', '.'): value for name, value in values.items()}}


class TestDigest:
    def test_value(self):
        content = b'a float32 (1,)\n' + struct.pack('<f', 1) + b'b.c int64 ()\n' + struct.pack('<q', -2)
        assert (
            weights_digest({'a': torch.tensor([1.0]), 'b.c': torch.tensor(-2)}) == hashlib.sha256(content).hexdigest()
        )

    @pytest.mark.parametrize(
        'same',
        [
            changed(a_weight=WEIGHTS['a.weight'].to(memory_format=torch.channels_last)),
            changed(a_weight=WEIGHTS['a.weight'].permute(3, 2, 1, 0).contiguous().permute(3, 2, 1, 0)),
            changed(a_bias=torch.tensor([1.0, 9.0, -0.0, 9.0])[::2]),
            changed(a_bias=nn.Parameter(WEIGHTS['a.bias'])),
            {**WEIGHTS, 'note': 'no tensor'},
        ],
        ids=['channels last', 'strides', 'slice', 'parameter', 'other entries'],
    )
    def test_layout_does_not_count(self, same):
        assert weights_digest(same) == weights_digest(WEIGHTS)

    @pytest.mark.parametrize(
        'other',
        [
            {**WEIGHTS, 'a.weight': WEIGHTS['b.weight'], 'b.weight': WEIGHTS['a.weight']},
            dict(reversed(WEIGHTS.items())),
            {name: value for name, value in WEIGHTS.items() if name != 'empty'},
            changed(a_bias=torch.tensor([1.0, 0.0])),
            changed(a_bias=torch.tensor([[1.0, -0.0]])),
            changed(half=torch.ones(3, dtype=torch.float16)),
            changed(steps=torch.tensor(3, dtype=torch.int32)),
            changed(empty=torch.zeros(0, 3)),
        ],
        ids=['swapped', 'order', 'missing', 'sign of zero', 'shape', 'dtype', 'integers', 'shape of nothing'],
    )
    def test_everything_else_does(self, other):
        assert weights_digest(other) != weights_digest(WEIGHTS)

    def test_it_outlives_a_file(self, tmp_path):
        torch.save(changed(a_weight=WEIGHTS['a.weight'].to(memory_format=torch.channels_last)), tmp_path / 'a.pth')
        assert weights_digest(torch.load(tmp_path / 'a.pth')) == weights_digest(WEIGHTS)


@pytest.mark.parametrize('dtype', ['float32', 'float16', 'bfloat16', 'float64', 'complex64', 'float8_e5m2'])
@pytest.mark.parametrize('value', ['nan', 'inf', '-inf'])
def test_non_finite(dtype, value):
    dtype = getattr(torch, dtype)
    bad = torch.tensor([1.0, float(value)]).to(dtype)
    weights = {'a': torch.ones(2), 'b': bad, 'c': torch.ones(2).to(dtype), 'd': torch.arange(3), 'e': 'text'}
    assert non_finite(weights) == ['b']


@pytest.mark.parametrize(
    ('dtype', 'words'),
    [
        ('float16', None),
        ('bfloat16', None),
        ('float64', None),
        ('int8', r'0.weight (int8 instead of float32)'),
        ('int64', r'0.weight (int64 instead of float32)'),
        ('bool', r'0.weight (bool instead of float32)'),
        ('complex64', r'0.weight (complex64 instead of float32)'),
    ],
)
@pytest.mark.parametrize('allow_partial', [False, True])
def test_dtypes(dtype, words, allow_partial):
    model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    weights = {**model.state_dict(), '0.weight': torch.ones(2, 3, dtype=getattr(torch, dtype))}
    weights['1.num_batches_tracked'] = torch.tensor(0.0)  # as in files whose weights were all made float16
    checkpoint = Checkpoint('a.pth', weights)
    assert compare(model, weights).retyped == ([] if words is None else [words])
    if words is None:
        checkpoint.require_match(model, allow_partial)
        return
    with pytest.raises(InputError) as caught:
        checkpoint.require_match(model, allow_partial)
    assert str(caught.value) == (
        f'checkpoint a.pth has 1 tensors of another kind of number than the model of this config: {words}; they would '
        'be converted in silence'
    )


def test_floating_numbers_for_integers():
    model = nn.Module()
    model.register_buffer('index', torch.arange(3))
    assert compare(model, {'index': torch.ones(3)}).retyped == ['index (float32 instead of int64)']
    assert compare(model, {'index': torch.ones(3, dtype=torch.int32)}).exact
