"""Token ablation and edge knockout, against whole networks with explicit attention matrices, one change at a time."""

import pytest
import torch
from explicit_attention import explicit_pass
from tiny import tiny_transpose

from mmtranspose.errors import InputError
from mmtranspose.explain import edge_knockout, token_ablation
from mmtranspose.explain.interventions import cut_edges, edge_knockout_curve, peak_windows, token_ablation_curve
from mmtranspose.explain.interventions.ablated_tokens import token_squares
from mmtranspose.explain.interventions.peak_windows import PeakWindows
from mmtranspose.explain.recording import recorded_forward
from mmtranspose.explain.target import Target

HEADS = {
    'none': {},
    'deconvolution': dict(deconv_out_channels=(8,)),
    'two deconvolutions': dict(deconv_out_channels=(8, 8), deconv_kernel_sizes=(4, 4)),
    'convolution': dict(conv_out_channels=(8,), conv_kernel_sizes=(3,)),
}
WINDOWS = {'none': (1, 1), 'deconvolution': (2, 2), 'two deconvolutions': (3, 3), 'convolution': (3, 3)}
PEAKS = torch.tensor([[[0, 0], [3, 4], [7, 5]], [[7, 0], [0, 5], [4, 1]]])  # corners, and places inside


def case(head='deconvolution', sharpness=1.5):
    """A model, inputs, and peaks at the heatmaps' corners too."""
    model = tiny_transpose(num_layers=3, head=HEADS[head]).eval()
    with torch.no_grad():
        for parameter in model.neck.encoder.parameters():
            parameter.mul_(sharpness)
    inputs = torch.randn(2, 3, 64, 48)
    size = model.head.forward(model.extract_feat(inputs)).shape[-2:]
    scale = size[0] // 8
    peaks = torch.where(PEAKS > 0, PEAKS * scale + torch.arange(2) % scale, 0)
    return model, inputs, peaks


def values_at(heatmaps, peaks):
    rows, cols = peaks.unbind(-1)
    return heatmaps[torch.arange(2).unsqueeze(-1), torch.arange(3), rows, cols]


def moved_by(heatmaps, peaks, inputs=(64, 48)):
    """Distances of the maxima from the peaks, in pixels: the first and last cells lie on the first and last pixels."""
    h, w = heatmaps.shape[-2:]
    best = heatmaps.flatten(2).argmax(-1)
    rows, cols = best // w - peaks[..., 0], best % w - peaks[..., 1]
    return torch.hypot(rows * (inputs[0] - 1) / (h - 1), cols * (inputs[1] - 1) / (w - 1))


def explicit_effects(model, inputs, peaks, change):
    """Drops and displacements (B, K, 8, 6); ``change(j)`` are arguments of :func:`explicit_pass` for token j."""
    with torch.no_grad():
        plain = values_at(explicit_pass(model, inputs)[0], peaks)
        changed = [explicit_pass(model, inputs, **change(j))[0] for j in range(48)]
    drop = torch.stack([plain - values_at(heatmaps, peaks) for heatmaps in changed], -1)
    moved = torch.stack([moved_by(heatmaps, peaks) for heatmaps in changed], -1)
    return drop.unflatten(-1, (8, 6)), moved.unflatten(-1, (8, 6))


def replaced(*numbers):
    """Replace the tokens of those numbers by the mean of all."""

    def change(tokens):
        changed = tokens.clone()
        changed[:, list(numbers)] = tokens.mean(1, keepdim=True)
        return changed

    return dict(change_tokens=change)


def cut(number):
    """Cut every row's entry of that number, and let the rest of the row sum to 1."""

    def change(matrix):
        changed = matrix.clone()
        changed[..., number] = 0
        return changed / changed.sum(-1, keepdim=True)

    return dict(change_last=change)


@pytest.mark.parametrize('head', HEADS)
@pytest.mark.parametrize(('intervention', 'change'), [(token_ablation, replaced), (edge_knockout, cut)])
def test_against_explicit_matrices(intervention, change, head):
    model, inputs, peaks = case(head)
    drop, moved = explicit_effects(model, inputs, peaks, change)
    torch.testing.assert_close(intervention(model, inputs, peaks), drop, rtol=0, atol=2e-6)
    both = intervention(model, inputs, peaks, displacement=True)
    torch.testing.assert_close(both.drop, drop, rtol=0, atol=2e-6)
    assert (both.displacement - moved).abs().gt(1e-4).sum() <= 1  # two maxima may be equal to the last digit


def test_squares_of_tokens():
    model, inputs, peaks = case()
    effects = token_ablation(model, inputs, peaks, stride=3, batch_size=5)
    with torch.no_grad():
        plain = explicit_pass(model, inputs)[0]
        corner = explicit_pass(model, inputs, **replaced(39, 40, 41, 45, 46, 47))[0]
    expected = values_at(plain, peaks) - values_at(corner, peaks)
    torch.testing.assert_close(effects[..., 6:, 3:], expected[..., None, None].expand(2, 3, 2, 3), rtol=0, atol=1e-6)
    assert token_squares((3, 5), 2).tolist() == [[0, 0, 1, 1, 2], [0, 0, 1, 1, 2], [3, 3, 4, 4, 5]]


def test_blocks_do_not_matter(monkeypatch):
    model, inputs, peaks = case()
    expected = token_ablation(model, inputs, peaks), edge_knockout(model, inputs, peaks)
    monkeypatch.setattr(cut_edges, 'BLOCK_ELEMENTS', 16 * 12 * 7)
    found = token_ablation(model, inputs, peaks, batch_size=7), edge_knockout(model, inputs, peaks)
    for one, other in zip(expected, found):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-7)


def test_rows_that_attend_to_one_token_alone():
    """Subtracting what the token brings would leave nothing but rounding errors."""
    model, inputs, peaks = case(sharpness=12)
    with torch.no_grad():
        weights = explicit_pass(model, inputs)[1][-1]
    assert (1 - weights).min() < 1e-6
    drop, _ = explicit_effects(model.double(), inputs.double(), peaks, cut)
    found = edge_knockout(model.float(), inputs, peaks)
    torch.testing.assert_close(found, drop.float(), rtol=0, atol=1e-3 * float(drop.abs().max()))
    assert found.isfinite().all()


@pytest.mark.parametrize('head', HEADS)
def test_windows(head):
    model, inputs, peaks = case(head)
    run = recorded_forward(model, inputs)
    target = Target.at(peaks, tuple(run.heatmaps.shape[-2:]), (8, 6))
    with torch.no_grad():
        windows = PeakWindows(model.head, run.features, target)
    assert windows.cells.shape[2:] == WINDOWS[head]
    assert (windows.peak is not None) == (head == 'deconvolution')
    tokens = torch.randn(2, 48, 8)
    with torch.no_grad():
        expected = values_at(model.head.forward((tokens.mT.reshape(2, 8, 8, 6),)), peaks)
        every = torch.arange(2)
        torch.testing.assert_close(windows.read(windows.taken(tokens, every), every), expected, rtol=0, atol=1e-5)
        image, keypoint = torch.tensor([1, 0, 1]), torch.tensor([2, 0, 1])
        single = windows.read(windows.taken(tokens[image], image, keypoint), image, keypoint)
        torch.testing.assert_close(single[:, 0], expected[image, keypoint], rtol=0, atol=1e-5)


def test_head_that_reads_everything(monkeypatch):
    monkeypatch.setattr(peak_windows, 'TOLERANCE', -1.0)  # no window will do
    model, inputs, peaks = case()
    drop, _ = explicit_effects(model, inputs, peaks, cut)
    torch.testing.assert_close(edge_knockout(model, inputs, peaks), drop, rtol=0, atol=2e-6)


def test_another_encoder_is_used():
    model, inputs, peaks = case()
    expected = token_ablation(model, inputs, peaks)
    found = token_ablation(model, inputs, peaks, encoder=model.neck.encoder)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)
    nothing = token_ablation(model, inputs, peaks, encoder=lambda tokens, pos: torch.zeros_like(tokens))
    assert nothing.flatten(2).std(-1).max() == 0  # the same whatever is replaced


@pytest.mark.parametrize('curve_of', [token_ablation_curve, edge_knockout_curve])
def test_curves(curve_of):
    """At each share, the tokens that the map ranks highest are taken away from the keypoint's own pass."""
    model, inputs, peaks = case('deconvolution')
    with torch.no_grad():
        plain = values_at(explicit_pass(model, inputs)[0], peaks)
    model.head.final_layer.bias.data -= plain.min(0).values.min(0).values - 1  # so that all values are positive
    with torch.no_grad():
        plain = values_at(explicit_pass(model, inputs)[0], peaks)
    target = Target.at(peaks, (16, 12), (8, 6))
    maps = torch.rand(2, 3, 8, 6)
    curve = curve_of(model, inputs, target, maps, steps=3)
    assert curve.fractions.tolist() == [0, 0.25, 0.5, 0.75]
    torch.testing.assert_close(curve.values[..., 0], torch.ones(2, 3))
    for k in range(3):
        for step, count in enumerate((12, 24, 36), start=1):
            order = maps[:, k].flatten(1).argsort(descending=True)[:, :count]
            taken = torch.zeros(2, 48, dtype=torch.bool).scatter_(1, order, True)

            def change_tokens(tokens, taken=taken):
                return torch.where(taken.unsqueeze(-1), tokens.mean(1, keepdim=True), tokens)

            def change_last(matrix, taken=taken):
                matrix = matrix.masked_fill(taken[:, None, None], 0)
                return matrix / matrix.sum(-1, keepdim=True)

            change = (
                dict(change_tokens=change_tokens) if curve_of is token_ablation_curve else dict(change_last=change_last)
            )
            with torch.no_grad():
                expected = values_at(explicit_pass(model, inputs, **change)[0], peaks)[:, k] / plain[:, k]
            torch.testing.assert_close(curve.values[:, k, step], expected, rtol=0, atol=1e-5)
    heights = curve.values
    by_hand = (heights[..., 0] / 2 + heights[..., 1] + heights[..., 2] + heights[..., 3] / 2) / 3
    torch.testing.assert_close(curve.auc, by_hand)


@pytest.mark.parametrize('intervention', [token_ablation, edge_knockout])
@pytest.mark.parametrize(
    ('peaks', 'message'),
    [
        (PEAKS.float(), 'integer'),
        (PEAKS[:1], r'\(2, 3, 2\)'),
        (PEAKS * 3, r'\[9, 12\] lies outside the heatmaps of 16 rows and 12 columns'),
        (PEAKS - 1, 'outside'),
    ],
)
def test_peaks_that_cannot_be(intervention, peaks, message):
    model, inputs, _ = case()
    with pytest.raises(InputError, match=message):
        intervention(model, inputs, peaks)


def test_model_is_left_as_it_was():
    model, inputs, peaks = case()
    model.train()
    model.head.eval()
    before = [module.training for module in model.modules()]
    for intervention in (token_ablation, edge_knockout):
        intervention(model, inputs, peaks)
        assert [module.training for module in model.modules()] == before
        assert all(parameter.grad is None for parameter in model.parameters())
