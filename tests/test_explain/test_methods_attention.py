"""Methods that read attention, against whole matrices that take part in the gradient."""

import numpy as np
import pytest
import torch
from explicit_attention import explicit_pass
from tiny import tiny_transpose

from mmtranspose.explain.methods import AttentionMap, AttentionNorm, GradientAttention, Rollout, attention_norm
from mmtranspose.explain.methods import rollout as row_product
from mmtranspose.explain.recording import recorded_layers
from mmtranspose.explain.target import Target


@pytest.fixture(params=['deconvolution', 'none'])
def case(request):
    """A model whose heatmap peaks lie between tokens, or at tokens; inputs; their target."""
    head = dict(deconv_out_channels=(8,)) if request.param == 'deconvolution' else {}
    model = tiny_transpose(num_layers=3, head=head).eval()
    with torch.no_grad():
        for parameter in model.neck.encoder.parameters():
            parameter.mul_(1.5)  # sharper attention than at the start
    inputs = torch.randn(2, 3, 64, 48)
    with torch.no_grad():
        target = Target.of(model.head.forward(model.extract_feat(inputs)), (8, 6))
    assert target.cells.shape[2] == (4 if head else 1)
    return model, inputs, target


def target_row(target, matrix, b, k):
    """The weighted rows of a matrix (N, N) at a target's cells, as a map."""
    cells, weights = target.cells[b, k].tolist(), target.weights[b, k].tolist()
    return sum(weight * matrix[row * 6 + col] for (row, col), weight in zip(cells, weights)).reshape(8, 6)


def test_raw_attention(case):
    model, inputs, target = case
    matrices = explicit_pass(model, inputs)[1]
    for layer in (1, 2, 3):
        maps = AttentionMap(layer)(model, inputs, target)
        for b in range(2):
            for k in range(3):
                expected = target_row(target, matrices[layer - 1][b].mean(0), b, k)
                torch.testing.assert_close(maps[b, k], expected, rtol=1e-5, atol=1e-6)


def test_attention_norm(case, monkeypatch):
    model, inputs, target = case
    monkeypatch.setattr(attention_norm, 'BLOCK_ELEMENTS', 2 * 48 * 8 * 5)  # several blocks, the last one short
    matrices = explicit_pass(model, inputs)[1]
    records, _ = recorded_layers(model, inputs)
    for layer in (1, 2, 3):
        maps = AttentionNorm(layer)(model, inputs, target)
        attention = records[layer - 1].layer
        weight, bias = attention.in_proj_weight[16:], attention.in_proj_bias[16:]
        for b in range(2):
            values = (records[layer - 1].tokens[b] @ weight.T + bias).reshape(48, 2, 4)
            lengths = torch.zeros(48, 48)
            for i, j in np.ndindex(48, 48):
                moved = torch.cat([matrices[layer - 1][b, head, i, j] * values[j, head] for head in range(2)])
                lengths[i, j] = (attention.out_proj.weight @ moved).norm()
            for k in range(3):
                torch.testing.assert_close(maps[b, k], target_row(target, lengths, b, k), rtol=1e-4, atol=1e-6)


def test_rollout(case, monkeypatch):
    model, inputs, target = case
    monkeypatch.setattr(row_product, 'BLOCK_ELEMENTS', 2 * 2 * 48 * 7)  # several blocks, the last one short
    maps = Rollout()(model, inputs, target)
    matrices = explicit_pass(model, inputs)[1]
    for b in range(2):
        rolled = torch.eye(48)
        for matrix in matrices:
            rolled = (0.5 * matrix[b].mean(0) + 0.5 * torch.eye(48)) @ rolled
        for k in range(3):
            torch.testing.assert_close(maps[b, k], target_row(target, rolled, b, k), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(maps.sum((-1, -2)), torch.ones(2, 3))


def test_gradient_attention(case, monkeypatch):
    model, inputs, target = case
    monkeypatch.setattr(row_product, 'BLOCK_ELEMENTS', 2 * 3 * 2 * 48 * 7)
    maps, alone = GradientAttention()(model, inputs, target), GradientAttention(identity=False)(model, inputs, target)
    heatmaps, matrices = explicit_pass(model.double(), inputs.double())
    eye = torch.eye(48, dtype=torch.float64)
    for b in range(2):
        for k in range(3):
            row, col = target.peaks[b, k]
            gradients = torch.autograd.grad(heatmaps[b, k, row, col], matrices, retain_graph=True)
            relevance = eye
            for matrix, gradient in zip(matrices, gradients):
                weighted = (gradient[b] * matrix[b]).clamp(min=0).mean(0)
                relevance = relevance + weighted @ relevance
            brought = target_row(target, relevance - eye, b, k)
            brought /= brought.sum()
            own = target_row(target, eye, b, k)
            torch.testing.assert_close(alone[b, k].double(), brought, rtol=0, atol=1e-5 * brought.max().item())
            torch.testing.assert_close(maps[b, k].double(), (own + brought) / 2, rtol=0, atol=1e-6)


def test_gradient_attention_where_attention_brings_nothing():
    model = tiny_transpose().eval()
    for layer in model.neck.encoder.layers:
        torch.nn.init.zeros_(layer.self_attn.out_proj.weight)
    target = Target.at(torch.tensor([[[1, 2], [3, 3], [7, 5]]]), (8, 6), (8, 6))
    maps = GradientAttention()(model, torch.randn(1, 3, 64, 48), target)
    expected = torch.zeros(1, 3, 8, 6)
    expected[0, 0, 1, 2] = expected[0, 1, 3, 3] = expected[0, 2, 7, 5] = 0.5
    assert torch.equal(maps, expected)


def test_gradient_attention_without_position(monkeypatch):
    model = tiny_transpose(position_encoding=None).eval()
    inputs = torch.randn(1, 3, 64, 48)
    target = Target.at(torch.tensor([[[1, 2], [3, 3], [7, 5]]]), (8, 6), (8, 6))
    maps = GradientAttention()(model, inputs, target)
    assert (maps >= 0).all() and (maps.amax((-1, -2)) > 0).all()


def test_no_block_is_larger_than_asked_for(case, monkeypatch):
    model, inputs, target = case
    limit = 2 * 3 * 2 * 48 * 5
    monkeypatch.setattr(row_product, 'BLOCK_ELEMENTS', limit)
    sizes = []
    monkeypatch.setattr(torch.Tensor, 'softmax', lambda x, dim: sizes.append(x.shape) or torch.softmax(x, dim))
    Rollout()(model, inputs, target)
    GradientAttention()(model, inputs, target)
    assert max(shape[-2] for shape in sizes[:3]) > 5 and max(shape[-2] for shape in sizes[-9:]) == 5
