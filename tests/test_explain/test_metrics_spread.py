"""Entropy and reach of maps whose spread is known."""

import math

import numpy as np
import pytest
import torch

from mmtranspose.explain.metrics import entropy, reach

TOKEN_TO_CROP = np.array([[8, 0, 3.5], [0, 10, 4.5]])


def test_entropy_by_hand():
    even, single, halves = torch.full((8, 6), 0.3), torch.zeros(8, 6), torch.zeros(8, 6)
    single[3, 3], halves[0, 0], halves[7, 5], halves[1, 1] = 4, 2, 2, -5
    maps = torch.stack([even, single, halves])
    assert entropy(maps).tolist() == pytest.approx([math.log(48), 0, math.log(2)], abs=1e-5)
    assert entropy(maps, normalised=True).tolist() == pytest.approx([1, 0, math.log(2) / math.log(48)], abs=1e-6)
    assert entropy(torch.zeros(8, 6)).isnan()


def test_entropy_of_uneven_weights():
    assert entropy(torch.tensor([[1.0, 3.0]])).item() == pytest.approx(-0.25 * math.log(0.25) - 0.75 * math.log(0.75))


def test_reach_by_hand():
    maps = torch.zeros(2, 1, 2, 8, 6)  # two layers, one person, two keypoints
    maps[0, 0, 0, 2, 3] = 5  # at (27.5, 24.5)
    maps[0, 0, 1, 2, 3], maps[0, 0, 1, 0, 0] = 1, 3  # and at (3.5, 4.5)
    maps[1, 0, 0, 0, 0] = 1
    points = torch.tensor([[[24.5, 20.5], [27.5, 24.5]]])  # 3 and 4 away; none
    reached = reach(maps, points, TOKEN_TO_CROP, torch.tensor([20.0]))
    assert reached[0, 0, 0].item() == pytest.approx(5 / 20)
    assert reached[0, 0, 1].item() == pytest.approx(0.75 * math.hypot(24, 20) / 20)
    assert reached[1, 0, 0].item() == pytest.approx(math.hypot(21, 16) / 20)
    assert reached[1, 0, 1].isnan()  # an empty map


def test_reach_of_what_is_missing():
    maps = torch.ones(2, 2, 8, 6)
    points = torch.tensor([[[math.nan, 1.0], [1.0, 1.0]], [[1.0, 1.0], [1.0, 1.0]]])
    reached = reach(maps, points, TOKEN_TO_CROP, torch.tensor([10.0, 0.0]))
    assert reached.isnan().tolist() == [[True, False], [True, True]]
