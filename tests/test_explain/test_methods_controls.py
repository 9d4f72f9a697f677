"""The controls: a random order and a Gaussian at the peak."""

import math

import pytest
import torch

from mmtranspose.errors import InputError
from mmtranspose.explain.flip_test import mirror_maps
from mmtranspose.explain.methods import Gaussian, RandomOrder
from mmtranspose.explain.target import Target


class Unused(torch.nn.Module):
    """The controls do not ask the network."""


MODEL = Unused()


def target_at(*peaks, batch=1, heatmap=(16, 12), grid=(8, 6)):
    return Target.at(torch.tensor([list(peaks)] * batch), heatmap, grid)


def test_random_is_a_permutation_for_each_keypoint():
    maps = RandomOrder()(MODEL, torch.randn(2, 3, 64, 48), target_at([0, 0], [0, 0], [3, 4], batch=2))
    ranks = (maps.flatten(2) * 48).round().int()
    assert torch.equal(ranks.sort(-1).values, torch.arange(1, 49, dtype=torch.int32).expand(2, 3, -1))
    assert len({tuple(order) for order in ranks.flatten(0, 1).tolist()}) == 6


def test_random_follows_the_image_and_the_seed():
    images = torch.randn(3, 3, 64, 48)
    maps = RandomOrder()(MODEL, images, target_at([0, 0], [5, 5], batch=3))
    turned = RandomOrder()(MODEL, images[[2, 0]], target_at([9, 9], [1, 1], batch=2))
    assert torch.equal(turned, maps[[2, 0]])
    assert not torch.equal(RandomOrder(seed=1)(MODEL, images, target_at([0, 0], [5, 5], batch=3)), maps)


def test_gaussian_by_hand():
    # middle of heatmap cell (5, 4) is (22, 18) in the 64x48 crop, middle of token (2, 1) (20, 12), of (0, 5) (4, 44)
    maps = Gaussian(sigma=0.125)(MODEL, torch.zeros(1, 3, 64, 48), target_at([5, 4]))[0, 0]
    assert maps[2, 1].item() == pytest.approx(math.exp(-(2**2 + 6**2) / (2 * 8**2)), rel=1e-5)
    assert maps[0, 5].item() == pytest.approx(math.exp(-(18**2 + 26**2) / (2 * 8**2)), rel=1e-5)


def test_gaussian_is_round_in_pixels_where_tokens_are_not_square():
    # tokens of 8x16 pixels: three rows up are as far as a column and a half, one and a half rows ...
    maps = Gaussian()(MODEL, torch.zeros(1, 3, 64, 48), target_at([4, 1], heatmap=(8, 3), grid=(8, 3)))[0, 0]
    assert maps[4, 1] == 1
    assert maps[2, 1].item() == pytest.approx(maps[4, 2].item(), rel=1e-5)


def test_gaussian_of_a_mirrored_target():
    images, target = torch.zeros(1, 3, 64, 48), target_at([2, 3], [8, 10], [15, 0])
    mirrored = Gaussian()(MODEL, images, target.mirrored([0, 2, 1]))
    torch.testing.assert_close(mirror_maps(mirrored, [0, 2, 1]), Gaussian()(MODEL, images, target))


def test_errors():
    for sigma in (0, -1, math.inf, math.nan):
        with pytest.raises(InputError, match=f'sigma={sigma} must be positive'):
            Gaussian(sigma)
    with pytest.raises(InputError, match='seed=-1 must not be negative'):
        RandomOrder(-1)
