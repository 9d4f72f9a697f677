"""Deletion, insertion and ROAD of a network whose heatmaps are known sums of the image's cells."""

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter1d
from test_metrics_imputation import dense_imputation
from torch import nn

from mmtranspose.errors import InputError
from mmtranspose.explain.metrics import blurred, cell_ranks, deletion, insertion, keypoint_oks, peak_drift, road
from mmtranspose.explain.metrics.perturbed_images import normalised
from mmtranspose.explain.target import Target

GRID, INPUT, HEATMAP = (4, 4), (16, 16), (8, 8)
PEAKS, OTHERS = [(1, 2), (7, 0)], [(5, 6), (7, 7)]  # (row, col) of each keypoint's peak, and of its rival
WEIGHTS = torch.zeros(2, *GRID)
WEIGHTS[0, 0, 1], WEIGHTS[0, 1, 1], WEIGHTS[0, 2, 3], WEIGHTS[0, 3, 0] = 4, 3, 2, 1
WEIGHTS[1, 3, 3], WEIGHTS[1, 2, 2] = 1, 1


class Head(nn.Module):
    def forward(self, features):
        """At its peak, a keypoint's weighted sum of the cells' means; at its rival, 2 and 0.5 always."""
        (cells,) = features
        heatmaps = torch.zeros(len(cells), 2, *HEATMAP)
        for k, ((row, col), (other_row, other_col)) in enumerate(zip(PEAKS, OTHERS)):
            heatmaps[:, k, row, col] = (cells * WEIGHTS[k]).sum((-1, -2))
            heatmaps[:, k, other_row, other_col] = (2, 0.5)[k]
        return heatmaps


class Sums(nn.Module):
    """Reads the first colour only; remembers what it was shown, and in which mode it was."""

    def __init__(self):
        super().__init__()
        self.head = Head()
        self.seen, self.modes = [], []

    def extract_feat(self, inputs):
        self.seen.append(inputs)
        self.modes.append((self.training, self.head.training, torch.is_grad_enabled()))
        return (nn.functional.adaptive_avg_pool2d(inputs[:, 0], GRID),)

    def heatmaps(self, inputs):
        return self.head.forward(self.extract_feat(inputs))

    def shown(self):
        images = torch.cat(self.seen)
        self.seen.clear()
        return images


@pytest.fixture
def model():
    return Sums()


@pytest.fixture
def target():
    return Target.at(torch.tensor([PEAKS]), HEATMAP, GRID)


def test_deletion_by_hand(model, target):
    curve = deletion(model, torch.ones(1, 3, *INPUT), target, WEIGHTS[None], steps=15)
    assert torch.allclose(curve.fractions, torch.arange(17) / 16)
    assert torch.allclose(curve.values[0, 0], torch.tensor([1, 0.6, 0.3, 0.1] + [0] * 13), atol=1e-6)
    assert torch.allclose(curve.values[0, 1], torch.tensor([1, 0.5] + [0] * 15), atol=1e-6)
    assert torch.allclose(curve.auc, torch.tensor([[1.5, 1.0]]) / 16)  # 1/2 + 0.6 + 0.3 + 0.1, and 1/2 + 0.5


def test_drift_and_oks_by_hand(model, target):
    areas, sigmas = [400.0], torch.tensor([0.5, 1.0])
    curve = deletion(model, torch.ones(1, 3, *INPUT), target, WEIGHTS[None], steps=15, areas=areas, sigmas=sigmas)
    # keypoint 0's value falls from 10 to 6, 3 and 1, below its rival's 2; keypoint 1's from 2 to 1 and 0, below 0.5
    far = torch.tensor([4 * math.sqrt(2), 7.0]) * 15 / 7  # 4 cells down and 4 across; 7 across
    moved = torch.tensor([[0] * 3 + [1] * 14, [0] * 2 + [1] * 15])
    assert torch.allclose(curve.drift[0], moved * far[:, None])
    oks = torch.tensor([math.exp(-(far[0] ** 2) / (2 * 400 * 1**2)), math.exp(-(far[1] ** 2) / (2 * 400 * 2**2))])
    assert torch.allclose(curve.oks[0], torch.where(moved.bool(), oks[:, None], 1.0))


def test_drift_scales_axes_apart():
    drift = peak_drift(torch.tensor([[3, 0], [0, 2]]), torch.tensor([0, 0]), (16, 12), (256, 192))
    assert drift.tolist() == pytest.approx([3 * 255 / 15, 2 * 191 / 11])


def test_oks_without_area_is_nan():
    oks = keypoint_oks(torch.tensor([[[1.0]], [[0.0]]]), torch.tensor([0.0, 1.0]), torch.tensor([0.1]))
    assert oks[0].isnan().all() and oks[1] == 1


def test_insertion_adds_up(model, target):
    inputs = torch.rand(1, 3, *INPUT)
    curve = insertion(model, inputs, target, WEIGHTS[None], steps=15, blur=0.2)
    sharp, cells = (nn.functional.adaptive_avg_pool2d(x[:, 0], GRID)[0] for x in (inputs, blurred(inputs, 0.2)))
    expected = [(cells * WEIGHTS[0]).sum()]
    for cell in [(0, 1), (1, 1), (2, 3), (3, 0)]:
        cells[cell] = sharp[cell]
        expected.append((cells * WEIGHTS[0]).sum())
    expected = torch.stack(expected + expected[-1:] * 12) / (sharp * WEIGHTS[0]).sum()
    assert torch.allclose(curve.values[0, 0], expected, atol=1e-6)
    assert (expected[:4].diff().abs() > 0.01).all()
    assert torch.allclose(curve.auc[0, 0], torch.trapezoid(expected, dx=1 / 16))


@pytest.mark.parametrize('blur', [0.05, 0.4])
def test_blur_is_a_gaussian_of_the_longer_side(blur):
    inputs = torch.randn(1, 3, 40, 30, dtype=torch.float64)
    expected, sigma = inputs.numpy(), blur * 40
    for axis, size in ((2, 40), (3, 30)):
        expected = gaussian_filter1d(expected, sigma, axis, mode='mirror', radius=min(round(3 * sigma), size - 1))
    np.testing.assert_allclose(blurred(inputs, blur).numpy(), expected, atol=1e-6)


def test_tied_keypoint_follows_the_seed(model, target):
    inputs, even = torch.rand(1, 3, *INPUT), torch.zeros(1, 2, *GRID)
    first, again, other = (deletion(model, inputs, target, even, steps=15, seed=s).values for s in (0, 0, 1))
    assert torch.equal(first, again) and not torch.allclose(first, other)


def test_end_points_are_shown_once(model, target):
    inputs = torch.rand(3, 3, *INPUT)
    targets = Target.at(torch.tensor([PEAKS] * 3), HEATMAP, GRID)
    deletion(model, inputs, targets, WEIGHTS.expand(3, -1, -1, -1), steps=5)
    assert len(model.shown()) == 2 * 3 + 3 * 2 * 5


@pytest.mark.parametrize('measure', [deletion, insertion, road])
def test_batches_change_nothing(model, measure):
    inputs, maps = torch.rand(3, 3, *INPUT), torch.rand(3, 2, *GRID)
    targets = Target.at(torch.tensor([PEAKS, PEAKS, OTHERS]), HEATMAP, GRID)
    whole, parts = (measure(model, inputs, targets, maps, batch_size=n) for n in (64, 2))
    one = measure(model, inputs[2:], targets[2:], maps[2:])
    for name in ('values', 'drift') if measure is not road else ('morf', 'lerf'):
        expected = getattr(whole, name)
        assert torch.allclose(getattr(parts, name), expected, atol=2e-3)
        assert torch.allclose(getattr(one, name), expected[2:], atol=2e-3)
        assert (expected[0] - expected[1]).abs().max() > 0.05 or name == 'drift'


@pytest.mark.parametrize('measure', [deletion, insertion, road])
def test_network_keeps_its_mode(model, target, measure):
    model.train()
    model.head.eval()
    measure(model, torch.rand(1, 3, *INPUT), target, WEIGHTS[None])
    assert set(model.modes) == {(False, False, False)}
    assert model.training and not model.head.training


def test_normalised_by_what_is_positive_and_finite():
    values = normalised(torch.full((1, 4, 1), 3.0), torch.tensor([[2.0, 0.0, -2.0, math.inf]]))
    assert values[0, 0] == 1.5 and values[0, 1:].isnan().all()


@pytest.mark.parametrize('measure', [deletion, insertion, road])
@pytest.mark.parametrize('brightness', [0.0, -1.0, math.nan])
def test_undefined_without_a_positive_peak(model, target, measure, brightness):
    curves = measure(model, torch.full((1, 3, *INPUT), brightness), target, WEIGHTS[None])
    assert (curves.score if measure is road else curves.auc).isnan().all()


def test_sizes_that_do_not_divide(model, target):
    inputs = torch.ones(1, 3, 18, 15)
    deletion(model, inputs, target, torch.arange(16.0).view(1, 1, *GRID).expand(1, 2, -1, -1), steps=15)
    first = model.shown()[2][0]  # after the two end points: the last cell alone is deleted
    rows, cols = torch.arange(18) + 0.5 >= 18 * 3 / 4, torch.arange(15) + 0.5 >= 15 * 3 / 4
    assert torch.equal(first == 0, rows[:, None] & cols)


def test_road_by_hand(model, target):
    inputs, maps = torch.rand(1, 3, *INPUT), torch.rand(1, 2, *GRID)
    curves = road(model, inputs, target, maps, percentiles=(25, 75), noise=0.0)
    unperturbed = target.values(model.heatmaps(inputs))[0]
    order = maps[0].flatten(1).argsort(descending=True)
    for k in range(2):
        for p, count in enumerate((4, 12)):
            for name, cells in (('morf', order[k, :count]), ('lerf', order[k, 16 - count :])):
                removed = torch.zeros(16, dtype=torch.bool)
                removed[cells] = True
                removed = removed.view(GRID).repeat_interleave(4, 0).repeat_interleave(4, 1)
                image = torch.from_numpy(dense_imputation(inputs[0].numpy(), removed.numpy())).float()
                expected = target.values(model.heatmaps(image[None]))[0, k] / unperturbed[k]
                assert getattr(curves, name)[0, k, p].item() == pytest.approx(expected.item(), abs=2e-3)
    assert torch.allclose(curves.score, (curves.lerf - curves.morf).sum(-1) / 4)
    assert ((curves.lerf - curves.morf).abs() > 0.01).sum() >= 3


def test_road_of_the_opposite_map_is_the_opposite(model, target):
    inputs = torch.zeros(1, 3, *INPUT)
    inputs[..., ::4, 1:14] = 1
    maps = torch.rand(1, 2, *GRID)
    there, back = (road(model, inputs, target, m).score for m in (maps, -maps))
    assert torch.allclose(there, -back, atol=1e-4) and (there.abs() > 1e-3).all()


def test_road_puts_noise_on_what_is_removed_alone(model, target):
    inputs, maps = torch.rand(1, 3, *INPUT), torch.rand(1, 2, *GRID)
    shown = []
    for noise, seed in ((0.0, 0), (0.5, 0), (0.5, 0), (0.5, 1)):
        road(model, inputs, target, maps, percentiles=(50,), noise=noise, seed=seed)
        shown.append(model.shown()[1:])  # without the unperturbed image
    clean, noisy, again, other = shown
    ranks = cell_ranks(maps)[0]
    removed = torch.stack([half for k in range(2) for half in (ranks[k] < 8, ranks[k] >= 8)])
    removed = removed.repeat_interleave(4, 1).repeat_interleave(4, 2)[:, None].expand(-1, 3, -1, -1)
    assert torch.equal(noisy, again) and not torch.equal(noisy, other)
    assert torch.equal(clean[~removed], inputs.expand(4, -1, -1, -1)[~removed])
    assert torch.equal(noisy[~removed], clean[~removed])
    assert (noisy - clean)[removed].std().item() == pytest.approx(0.5, rel=0.1)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(maps=torch.zeros(1, 2, 4, 5)), r'maps must be .*\(1, 2, 4, 4\).*\(1, 2, 4, 5\)'),
        (dict(maps=torch.full((1, 2, 4, 4), math.nan)), 'NaN'),
        (dict(inputs=torch.zeros(2, 3, *INPUT)), '2 images'),
        (dict(batch_size=0), 'batch_size=0'),
        (dict(steps=0), 'steps=0'),
        (dict(areas=[1.0]), 'both'),
    ],
)
def test_mistakes(model, target, change, message):
    arguments = dict(inputs=torch.ones(1, 3, *INPUT), maps=WEIGHTS[None]) | change
    with pytest.raises(InputError, match=message):
        deletion(model, arguments.pop('inputs'), target, arguments.pop('maps'), **arguments)


def test_nobody(model, target):
    with pytest.raises(InputError, match='there is no person to measure'):
        road(model, torch.zeros(0, 3, *INPUT), target[:0], torch.zeros(0, 2, *GRID))


@pytest.mark.parametrize('percentiles', [(), (0, 50), (50, 101)])
def test_percentiles_out_of_range(model, target, percentiles):
    with pytest.raises(InputError, match='percentiles'):
        road(model, torch.ones(1, 3, *INPUT), target, WEIGHTS[None], percentiles)


@pytest.mark.parametrize('blur', [0, -0.1, math.nan])
def test_blur_out_of_range(blur):
    with pytest.raises(InputError, match='blur'):
        blurred(torch.ones(1, 3, 8, 8), blur)
