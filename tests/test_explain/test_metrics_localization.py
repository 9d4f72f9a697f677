"""Discs, the shares of maps in them, and the entropy, reach and sparseness of maps whose spread is known."""

import math

import numpy as np
import pytest
import torch

from mmtranspose.errors import InputError
from mmtranspose.explain.metrics import (
    disc_coverage,
    disc_shares,
    energy_pointing_game,
    entropy,
    oks_radii,
    pointing_game,
    radial_average,
    reach,
    sparseness,
)

TOKEN_TO_CROP = np.array([[8, 0, 3.5], [0, 8, 3.5]])  # cells of 8 x 8 pixels, the first from -0.5 to 7.5
TALL_CELLS = np.array([[8, 0, 3.5], [0, 10, 4.5]])
GRID = (8, 6)


def test_radius_is_where_oks_falls_to_the_level():
    areas, sigmas = torch.tensor([900.0, 1600.0]), torch.tensor([0.05, 0.1, 0.025])
    radii = oks_radii(areas, sigmas, level=0.3)
    oks = torch.exp(-(radii**2) / (2 * areas[:, None] * (2 * sigmas) ** 2))
    assert torch.allclose(oks, torch.full((2, 3), 0.3))
    assert oks_radii(areas, sigmas)[0, 1].item() == pytest.approx(30 * 0.2 * math.sqrt(2 * math.log(2)))
    assert oks_radii(torch.tensor([0.0, math.nan]), sigmas).isnan().all()


@pytest.mark.parametrize('level', [0, 1, -0.5])
def test_levels_out_of_range(level):
    with pytest.raises(InputError, match='level'):
        oks_radii(torch.ones(1), torch.ones(1), level)


@pytest.mark.parametrize('radius', [1e-3, 0.7, 5.0, 15.0])
def test_coverage_adds_up_to_the_disc(radius):
    points = torch.tensor([[[23.1, 31.7], [23.5, 31.5], [20.0, 35.0]]])  # the second on four cells' corner
    coverage = disc_coverage(points, torch.full((1, 3), radius), GRID, TOKEN_TO_CROP)
    area = coverage.double().sum((-1, -2)) * 64
    assert torch.allclose(area, torch.full((1, 3), math.pi * radius**2, dtype=torch.float64), rtol=1e-5)
    assert coverage[0, 0, 4, 2] > 0 and coverage[0, 2, 4, 2] > 0  # the cells that hold the middles
    corner = coverage[0, 1, 3:5, 2:4]
    assert torch.allclose(corner, corner[0, 0].expand(2, 2), rtol=1e-4)


def test_coverage_cell_by_cell():
    """Against counting points of a fine lattice; with cells that are not square, and discs beyond the grid."""
    affine = np.array([[6, 0, 2.0], [0, 9, 5.0]])
    points, radii = torch.tensor([[[10.0, 20.0], [-1.0, 3.0], [33.0, 70.0]]]), torch.tensor([[11.0, 7.0, 40.0]])
    coverage = disc_coverage(points, radii, GRID, affine)[0].numpy()
    lattice = (np.arange(200) + 0.5) / 200 - 0.5
    for j, ((x, y), r) in enumerate(zip(points[0].tolist(), radii[0].tolist())):
        for row, col in np.ndindex(GRID):
            dx, dy = 2 + 6 * (col + lattice) - x, 5 + 9 * (row + lattice) - y
            share = (dx[None] ** 2 + dy[:, None] ** 2 <= r**2).mean()
            assert coverage[j, row, col] == pytest.approx(share, abs=2e-3)
    assert coverage[2].max() == 1 and coverage[0].min() == 0


def test_missing_keypoints_are_nan():
    points = torch.tensor([[[math.nan, math.nan], [20.0, 20.0], [20.0, 20.0]]])
    coverage = disc_coverage(points, torch.tensor([[5.0, 5.0, 0.0]]), GRID, TOKEN_TO_CROP)
    assert coverage[0, 0].isnan().all() and coverage[0, 2].isnan().all() and coverage[0, 1].isfinite().all()


@pytest.mark.parametrize('affine', [np.eye(3), [[8, 1, 0], [0, 8, 0]], [[-8, 0, 0], [0, 8, 0]]])
def test_affines_that_cannot_be(affine):
    with pytest.raises(InputError, match='token_to_crop'):
        disc_coverage(torch.zeros(1, 1, 2), torch.ones(1, 1), GRID, np.array(affine, float))


def one_cell(row, col):
    maps = torch.zeros(1, 1, *GRID)
    maps[0, 0, row, col] = 1
    return maps


@pytest.mark.parametrize(('offset', 'hit'), [(0, 1), (9.9, 1), (10.1, 0)])
def test_pointing_game(offset, hit):
    """A disc of radius 6, and half a cell, 4: up to 10 from the middle of cell (2, 1), which is (11.5, 19.5)."""
    for shift in ((offset, 0), (0, -offset)):
        points = torch.tensor([[[11.5 + shift[0], 19.5 + shift[1]]]])
        assert pointing_game(one_cell(2, 1), points, torch.tensor([[6.0]]), TOKEN_TO_CROP).item() == hit


def test_pointing_game_shares_ties_and_leads():
    maps = torch.stack([one_cell(2, 1), one_cell(2, 1) + one_cell(7, 5), one_cell(7, 5)])  # (3, B, K, h, w)
    points, radii = torch.tensor([[[11.5, 19.5]]]), torch.tensor([[6.0]])
    assert pointing_game(maps, points, radii, TOKEN_TO_CROP).flatten().tolist() == [1, 0.5, 0]
    assert pointing_game(maps, points * math.nan, radii, TOKEN_TO_CROP).isnan().all()


def test_energy_and_shares_by_hand():
    coverage = torch.zeros(1, 3, *GRID)  # of three keypoints
    coverage[0, 0, 2, 1], coverage[0, 1, 2, 1:3], coverage[0, 2] = 0.5, 1, math.nan
    maps = torch.zeros(2, 1, 3, *GRID)  # two layers, one person, three keypoints
    maps[0, 0, 0, 2, 1], maps[0, 0, 0, 2, 2], maps[0, 0, 0, 5, 5], maps[0, 0, 0, 0, 0] = 2, 1, 1, -7
    maps[0, 0, 1, 2, 2] = 3
    maps[1, 0, :, 7, 5] = 1
    shares = disc_shares(maps, coverage)
    assert shares.shape == (2, 1, 3, 3)
    assert shares[0, 0, :2, :2].tolist() == [[0.25, 0.75], [0, 1]]
    assert (shares[1, 0, :, :2] == 0).all()
    assert shares[0, 0, 2].isnan().all() and shares[..., 2].isnan().all()  # an empty map; a missing keypoint
    energy = energy_pointing_game(maps, coverage)
    assert energy[0, 0, :2].tolist() == [0.25, 1] and energy[1, 0, :2].tolist() == [0, 0] and energy[0, 0, 2].isnan()


def test_radial_average_by_hand():
    maps = torch.tensor([[[[0.0, 1, 2, 7, 4]], [[1.0, 2, 3, 4, 6]]]])
    row = np.array([[8, 0, 3.5], [0, 8, 3.5]])
    centres = torch.tensor([[[11.5, 3.5], [19.5, 3.5]]])  # the second and the third cell
    found = radial_average(maps, centres, row)
    torch.testing.assert_close(found, torch.tensor([[[[1.0, 1, 1, 7, 4]], [[3.5, 3, 3, 3, 3.5]]]]))
    far = radial_average(maps, centres + torch.tensor([0.0, 1e6]), row)  # all cells are as far
    torch.testing.assert_close(far, maps.mean(-1, keepdim=True).expand_as(maps))


def test_radial_average_of_maps_that_know_only_the_distance():
    """Wide or narrow, they are their own average, and so is an even map; a cell that stands out is not."""
    centres = torch.tensor([[[3.5 + 8 * 2, 3.5 + 8 * 3], [20.0, 31.0]]])
    xs, ys = torch.meshgrid(torch.arange(6) * 8 + 3.5, torch.arange(8) * 8 + 3.5, indexing='xy')
    rings = (torch.stack([xs, ys], -1) - centres[0, :, None, None]).norm(dim=-1).div(8).round()
    maps = torch.stack([torch.ones_like(rings), (-rings).exp(), 0.2 + (-(rings**2)).exp()]).unsqueeze(1)
    torch.testing.assert_close(radial_average(maps, centres, TOKEN_TO_CROP), maps)
    maps[:, :, :, 6, 1] += 0.5
    found = radial_average(maps, centres, TOKEN_TO_CROP)
    assert (found[..., 6, 1] < maps[..., 6, 1] - 0.3).all()
    torch.testing.assert_close(found.sum((-1, -2)), maps.sum((-1, -2)))


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
    reached = reach(maps, points, TALL_CELLS, torch.tensor([20.0]))
    assert reached[0, 0, 0].item() == pytest.approx(5 / 20)
    assert reached[0, 0, 1].item() == pytest.approx(0.75 * math.hypot(24, 20) / 20)
    assert reached[1, 0, 0].item() == pytest.approx(math.hypot(21, 16) / 20)
    assert reached[1, 0, 1].isnan()  # an empty map


def test_reach_of_what_is_missing():
    maps = torch.ones(2, 2, 8, 6)
    points = torch.tensor([[[math.nan, 1.0], [1.0, 1.0]], [[1.0, 1.0], [1.0, 1.0]]])
    reached = reach(maps, points, TALL_CELLS, torch.tensor([10.0, 0.0]))
    assert reached.isnan().tolist() == [[True, False], [True, True]]


def test_sparseness():
    """Gini's index: half the mean difference of two cells, divided by their mean."""
    maps = torch.stack([one_cell(2, 1), torch.ones(1, 1, *GRID), -3 * one_cell(0, 0), torch.zeros(1, 1, *GRID)])
    torch.testing.assert_close(sparseness(maps)[:3].flatten(), torch.tensor([47 / 48, 0, 47 / 48]))
    assert sparseness(maps)[3].isnan().all()
    values = torch.rand(2, 3, *GRID)
    flat = values.flatten(2)
    by_pairs = (flat.unsqueeze(-1) - flat.unsqueeze(-2)).abs().mean((-1, -2)) / (2 * flat.mean(-1))
    torch.testing.assert_close(sparseness(values), by_pairs)
