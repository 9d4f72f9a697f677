"""The order of cells, with ties, and the pixels that belong to them."""

import torch

from mmtranspose.explain.metrics.perturbed_images import (
    cell_counts,
    cell_ranks,
    first_cells,
    pixel_masks,
    reversed_ranks,
)


def test_most_relevant_first():
    maps = torch.tensor([[[[0.1, 0.9], [-2.0, 0.5]]]])
    assert cell_ranks(maps).tolist() == [[[[2, 0], [3, 1]]]]
    assert reversed_ranks(cell_ranks(maps)).tolist() == [[[[1, 3], [0, 2]]]]


def test_ties_follow_the_seed():
    maps = torch.zeros(2, 3, 8, 6)
    maps[:, :, 0, 0], maps[:, :, 7, 5] = 1, -1
    ranks = cell_ranks(maps, seed=4)
    assert (ranks[:, :, 0, 0] == 0).all() and (ranks[:, :, 7, 5] == 47).all()  # what is no tie keeps its place
    assert (ranks.flatten(2).sort(-1).values == torch.arange(48)).all()
    assert torch.equal(ranks, cell_ranks(maps, seed=4)) and not torch.equal(ranks, cell_ranks(maps, seed=5))
    assert not torch.equal(ranks[0, 0], ranks[0, 1])
    assert ranks[0, 0].flatten().diff().unique().numel() > 5  # not the order of the cells


def test_ties_do_not_depend_on_the_batch():
    maps = torch.rand(4, 3, 8, 6).round(decimals=1)
    assert torch.equal(cell_ranks(maps)[2:3], cell_ranks(maps[2:3]))


def test_first_cells_are_as_many_as_counted():
    ranks = cell_ranks(torch.rand(2, 3, 8, 6))
    counts = cell_counts(torch.tensor([0.0, 0.1, 0.5, 1.0]), (8, 6))
    assert counts.tolist() == [0, 5, 24, 48]
    masks = first_cells(ranks.unsqueeze(2), counts)
    assert masks.shape == (2, 3, 4, 8, 6) and (masks.sum((-1, -2)) == counts).all()
    assert masks[:, :, 2][ranks < 24].all()


def test_pixels_of_cells():
    cells = torch.tensor([[True, False, False], [False, True, True]])
    rows, cols = [0, 0, 1, 1, 1], [0, 0, 1, 1, 2, 2]  # the middle of pixel 2 of 5 lies on the border: the next cell's
    expected = [[cells[r, c].item() for c in cols] for r in rows]
    assert pixel_masks(cells, (5, 6)).tolist() == expected
