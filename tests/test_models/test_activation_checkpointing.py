"""Layers of the encoder computed anew in the backward pass."""

import pytest
import torch
from tiny import tiny_transpose

from mmtranspose.explain.recording import recorded_forward
from mmtranspose.models.layers import TransformerEncoder

SIZES = dict(num_layers=2, embed_dims=8, num_heads=2, feedforward_channels=16)


def gradients(with_cp, dropout, encoder_state, tokens, pos):
    encoder = TransformerEncoder(with_cp=with_cp, dropout=dropout, **SIZES).train()
    encoder.load_state_dict(encoder_state)
    torch.manual_seed(3)
    tokens = tokens.clone().requires_grad_()
    out = encoder(tokens, pos)
    (out**2).sum().backward()
    return out, tokens.grad, {name: value.grad for name, value in encoder.named_parameters()}


@pytest.mark.parametrize('dropout', [0.0, 0.3])
def test_same_values_and_gradients(dropout):
    encoder = TransformerEncoder(**SIZES)
    tokens, pos = torch.randn(2, 6, 8), torch.randn(6, 8)
    plain, saved = (gradients(cp, dropout, encoder.state_dict(), tokens, pos) for cp in (False, True))
    for one, other in zip(plain, saved):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


def saved_numbers(with_cp, training=True):
    """How many numbers autograd keeps for the backward pass."""
    encoder = TransformerEncoder(with_cp=with_cp, **SIZES).train(training)
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda x: kept.append(x.numel()) or x, lambda x: x):
        encoder(torch.randn(2, 6, 8, requires_grad=True), torch.randn(6, 8))
    return sum(kept)


def test_less_is_kept_while_training():
    assert saved_numbers(True) < 0.3 * saved_numbers(False)
    assert saved_numbers(True, training=False) == saved_numbers(False, training=False)


def test_explanations_see_every_layer():
    model = tiny_transpose(num_layers=3, with_cp=True)
    assert model.neck.encoder.with_cp
    inputs = torch.randn(1, 3, 32, 32)
    recorded = recorded_forward(model, inputs)
    assert len(recorded.records) == 3
    model.neck.encoder.with_cp = False
    torch.testing.assert_close(recorded_forward(model, inputs).heatmaps, recorded.heatmaps, rtol=0, atol=0)


def test_off_by_default():
    assert tiny_transpose().neck.encoder.with_cp is False
