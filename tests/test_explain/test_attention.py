"""Rows and columns of attention against the release, and against whole matrices."""

import golden
import numpy as np
import pytest
import torch
from mmpose.apis import init_model
from tiny import tiny_transpose
from torch import nn

from mmtranspose.errors import InputError, UnsupportedModelError
from mmtranspose.explain import attention, attention_maps, edge_knockout, peak_cells, token_ablation
from mmtranspose.explain.recording import evaluating, recorded_attention


@pytest.mark.parametrize('variant', ['r-a3', 'h-s'])
def test_golden_maps(variant, tmp_path):
    torch.save(golden.released_state_dict(variant), tmp_path / 'released.pth')
    model = init_model(golden.config_path(variant), str(tmp_path / 'released.pth'), device='cpu')
    arrays = golden.arrays(variant)
    cells = torch.from_numpy(arrays['query_hw']).long()[None]
    inputs = golden.golden_input()[:1]
    for direction in ('dependency', 'affect'):
        maps = attention_maps(model, inputs, cells, direction)
        np.testing.assert_allclose(maps[:, 0].numpy(), arrays[direction], atol=1e-7)


@pytest.fixture
def model():
    torch.manual_seed(0)
    return tiny_transpose().eval()


def whole_matrices(model, inputs):
    """Every layer's attention (L, B, heads, N, N), by PyTorch's own attention that returns its weights."""
    with recorded_attention(model.neck.encoder) as records, torch.no_grad():
        model.extract_feat(inputs)
    matrices = []
    for record in records:
        reference = nn.MultiheadAttention(8, 2, batch_first=True)
        reference.load_state_dict(record.layer.state_dict())
        qk = record.tokens + record.pos
        matrices.append(reference.eval()(qk, qk, record.tokens, average_attn_weights=False)[1])
    return torch.stack(matrices)


CELLS = torch.tensor([[[0, 0], [3, 2], [1, 4]], [[7, 5], [2, 2], [0, 5]]])


@pytest.mark.parametrize('direction', ['dependency', 'affect'])
def test_against_whole_matrices(model, direction, monkeypatch):
    monkeypatch.setattr(attention, 'BLOCK_ELEMENTS', 2 * 2 * 48 * 7)  # several blocks, the last one short
    inputs = torch.randn(2, 3, 64, 48)
    maps = attention_maps(model, inputs, CELLS, direction, heads='all')
    assert maps.shape == (2, 2, 2, 3, 8, 6)
    whole = whole_matrices(model, inputs)
    for b in range(2):
        for q, (row, col) in enumerate(CELLS[b].tolist()):
            token = row * 6 + col
            expected = whole[:, b, :, token] if direction == 'dependency' else whole[:, b, :, :, token]
            assert torch.allclose(maps[:, b, :, q].flatten(2), expected, atol=1e-6)
    mean = attention_maps(model, inputs, CELLS, direction)
    assert torch.allclose(mean, maps.mean(2), atol=1e-7)


def test_rows_sum_to_one(model):
    maps = attention_maps(model, torch.randn(2, 3, 64, 48), CELLS)
    assert torch.allclose(maps.sum((-1, -2)), torch.ones(2, 2, 3), atol=1e-5)


def test_columns_of_all_cells_sum_to_the_number_of_rows(model):
    cells = torch.cartesian_prod(torch.arange(4), torch.arange(3))[None]
    maps = attention_maps(model, torch.randn(1, 3, 32, 24), cells, 'affect')
    assert torch.allclose(maps.sum((2, 3, 4)), torch.full((2, 1), 12.0), atol=1e-4)


def test_leaves_no_trace(model):
    inputs = torch.randn(1, 3, 64, 48)
    model.train()
    model.head.eval()
    modes = [module.training for module in model.modules()]
    buffers = {name: value.clone() for name, value in model.named_buffers()}
    attention_maps(model, inputs, CELLS[:1])
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(value, buffers[name]) for name, value in model.named_buffers())
    assert all(not module._forward_pre_hooks for module in model.modules())
    model.eval()
    before = model(inputs, None)
    with recorded_attention(model.neck.encoder):
        assert torch.equal(model(inputs, None), before)


def test_hooks_go_after_an_error(model):
    def fail(*args):
        raise RuntimeError('stop here')

    model.neck.encoder.layers[1].forward = fail
    model.train()
    with pytest.raises(RuntimeError, match='stop here'):
        attention_maps(model, torch.randn(1, 3, 64, 48), CELLS[:1])
    assert all(not module._forward_pre_hooks for module in model.modules())
    assert model.training and model.neck.training


def test_half_precision_model_gives_float32_rows(model):
    inputs = torch.randn(1, 3, 64, 48)
    full = attention_maps(model, inputs, CELLS[:1])
    half = attention_maps(model.bfloat16(), inputs.bfloat16(), CELLS[:1])
    assert half.dtype == torch.float32
    assert torch.allclose(half.sum((-1, -2)), torch.ones(2, 1, 3), atol=1e-5)
    assert torch.allclose(half, full, atol=5e-3)


@pytest.mark.parametrize('direction', ['dependency', 'affect'])
def test_autocast_gives_float32_maps(model, direction):
    inputs = torch.randn(1, 3, 64, 48)
    full = attention_maps(model, inputs, CELLS[:1], direction)
    with torch.autocast('cpu', torch.bfloat16):
        half = attention_maps(model, inputs, CELLS[:1], direction)
    assert half.dtype == torch.float32
    assert torch.allclose(half, full, atol=5e-3) and not torch.equal(half, full)
    if direction == 'dependency':
        assert torch.allclose(half.sum((-1, -2)), torch.ones(2, 1, 3), atol=1e-5)


@pytest.mark.parametrize('position', ['learnable', None])
@pytest.mark.parametrize('size', [(64, 48), (96, 40)])
def test_other_positions_and_input_sizes(position, size):
    model = tiny_transpose(position_encoding=position, grid=(8, 6)).eval()
    inputs = torch.randn(2, 3, *size)
    grid = size[0] // 8, size[1] // 8
    cells = torch.tensor([[[grid[0] - 1, grid[1] - 1]], [[0, 2]]])
    with recorded_attention(model.neck.encoder) as records, torch.no_grad():
        model.extract_feat(inputs)
    found = attention_maps(model, inputs, cells, heads='all')
    for layer, record in zip(found, records):
        qk = record.tokens if record.pos is None else record.tokens + record.pos
        q, k = record.layer.query_key(qk, None)
        matrix = (q @ k.transpose(-1, -2) / 2).softmax(-1)  # 4 channels a head
        for b, (row, col) in enumerate(cells[:, 0].tolist()):
            assert torch.allclose(layer[b, :, 0].flatten(1), matrix[b, :, row * grid[1] + col], atol=1e-6)


@pytest.mark.parametrize(
    ('cells', 'kwargs', 'error', 'words'),
    [
        (CELLS[:1].float(), {}, InputError, 'cells must be integer'),
        (CELLS, {}, InputError, r'cells must have shape \(1, Q, 2\), not \(2, 3, 2\)'),
        (torch.tensor([[[8, 0]]]), {}, InputError, r'cell \[8, 0\] lies outside the token grid of 8 rows and 6'),
        (torch.tensor([[[0, -1]]]), {}, InputError, r'cell \[0, -1\] lies outside'),
        (CELLS[:1], {'direction': 'sideways'}, InputError, "direction='sideways' is unknown"),
        (CELLS[:1], {'heads': 'some'}, InputError, "heads='some' is unknown"),
    ],
)
def test_errors(model, cells, kwargs, error, words):
    with pytest.raises(error, match=words):
        attention_maps(model, torch.zeros(1, 3, 64, 48), cells, **kwargs)


@pytest.mark.parametrize(
    ('inputs', 'words'),
    [
        (torch.zeros(3, 64, 48), r'inputs must be \(B, 3, H, W\), .*, not \(3, 64, 48\)'),
        (torch.zeros(1, 1, 64, 48), r', not \(1, 1, 64, 48\)'),
        (torch.full((1, 3, 64, 48), float('nan')), 'inputs hold NaN or infinity'),
    ],
)
def test_inputs_that_cannot_be(model, inputs, words):
    for explain in (attention_maps, token_ablation, edge_knockout):
        with pytest.raises(InputError, match=words):
            explain(model, inputs, CELLS[:1])


def test_model_without_transpose_neck():
    with pytest.raises(UnsupportedModelError, match='Linear cannot be explained: it has no neck. Only a pose'):
        attention_maps(nn.Linear(1, 1), torch.zeros(1, 3, 64, 48), CELLS)


def test_peak_cells():
    heatmaps = torch.zeros(1, 3, 64, 48)
    heatmaps[0, 0, 0, 0] = heatmaps[0, 1, 63, 47] = heatmaps[0, 2, 13, 30] = 1
    assert peak_cells(heatmaps, (32, 24)).tolist() == [[[0, 0], [31, 23], [6, 15]]]
    assert peak_cells(heatmaps, (64, 48)).tolist() == [[[0, 0], [63, 47], [13, 30]]]


def test_evaluating_restores_each_module(model):
    model.train()
    model.backbone.eval()
    with evaluating(model):
        assert not any(module.training for module in model.modules())
    assert model.neck.training and not model.backbone.training
