"""What is explained: the cells at a peak and their shares, and the mirrored image's."""

import pytest
import torch
from torch import nn

from mmtranspose.errors import InputError
from mmtranspose.explain import Target


def heatmaps_with_peaks(peaks, size=(16, 12)):
    heatmaps = torch.rand(1, len(peaks), *size) * 0.1
    for k, (row, col) in enumerate(peaks):
        heatmaps[0, k, row, col] = 1
    return heatmaps


def test_bilinear_cells_by_hand():
    target = Target.of(heatmaps_with_peaks([(6, 3), (0, 11)]), (8, 6))
    # heatmap cell 6 lies at token (6 + 0.5) / 2 - 0.5 = 2.75, cell 3 at 1.25
    shares = {tuple(c): w for c, w in zip(target.cells[0, 0].tolist(), target.weights[0, 0].tolist())}
    assert shares == {(2, 1): 0.1875, (2, 2): 0.0625, (3, 1): 0.5625, (3, 2): 0.1875}
    assert target.peaks.tolist() == [[[6, 3], [0, 11]]]
    corner = {tuple(c) for c, w in zip(target.cells[0, 1].tolist(), target.weights[0, 1].tolist()) if w}
    assert corner == {(0, 5)}  # beyond the outermost tokens' middles: those tokens


def test_weights_are_the_tokens_that_the_deconvolution_reads():
    deconv = nn.ConvTranspose2d(1, 1, 4, 2, 1)
    nn.init.ones_(deconv.weight)
    tokens = torch.zeros(1, 1, 8, 6, requires_grad=True)
    target = Target.of(heatmaps_with_peaks([(7, 6), (8, 5), (5, 4)]), (8, 6))
    for k, (row, col) in enumerate(target.peaks[0].tolist()):
        (read,) = torch.autograd.grad(deconv(tokens)[0, 0, row, col], tokens)
        assert {tuple(c) for c in read[0, 0].nonzero().tolist()} == {tuple(c) for c in target.cells[0, k].tolist()}


def test_same_grid_is_one_cell():
    target = Target.of(heatmaps_with_peaks([(6, 3), (15, 0)]), (16, 12))
    assert target.cells.tolist() == [[[[6, 3]], [[15, 0]]]]
    assert target.weights.tolist() == [[[1.0], [1.0]]]


def test_nearest_is_the_authors_floor():
    target = Target.of(heatmaps_with_peaks([(7, 5), (13, 10)]), (8, 6), cell='nearest')
    assert target.cells.tolist() == [[[[3, 2]], [[6, 5]]]]
    with pytest.raises(InputError, match="cell='near' is unknown; choose 'bilinear' or 'nearest'"):
        Target.of(heatmaps_with_peaks([(0, 0)]), (8, 6), cell='near')


def test_values_are_the_peaks_and_differentiable():
    heatmaps = heatmaps_with_peaks([(6, 3), (0, 11)]).requires_grad_()
    target = Target.of(heatmaps, (8, 6))
    assert target.values(heatmaps).tolist() == [[1, 1]]
    target.values(heatmaps)[0, 0].backward()
    assert heatmaps.grad.nonzero().tolist() == [[0, 0, 6, 3]]


def test_pooled_is_the_weighted_sum():
    target = Target.of(heatmaps_with_peaks([(6, 3), (9, 8)]), (8, 6))
    maps = torch.rand(3, 1, 8, 8, 6)  # layers, batch, 2 keypoints of 4 cells
    by_hand = torch.stack([sum(target.weights[0, k, p] * maps[:, 0, 4 * k + p] for p in range(4)) for k in (0, 1)], 1)
    torch.testing.assert_close(target.pooled(maps)[:, 0], by_hand)
    with_heads = torch.stack([maps, 2 * maps], dim=2)
    torch.testing.assert_close(target.pooled(with_heads)[:, 0, 1], 2 * by_hand)


def test_mirrored_target():
    target = Target.of(heatmaps_with_peaks([(6, 3), (2, 9), (4, 4)]), (8, 6))
    mirrored = target.mirrored([1, 0, 2])  # keypoints 0 and 1 are counterparts
    assert mirrored.peaks.tolist() == [[[2, 2], [6, 8], [4, 7]]]
    # in MMPose's shifted flip test, column c of the averaged map came from column c - 1
    assert target.mirrored([1, 0, 2], shift_heatmap=True).peaks.tolist() == [[[2, 3], [6, 9], [4, 8]]]
    twice = mirrored.mirrored([1, 0, 2])
    assert torch.equal(twice.peaks, target.peaks) and torch.equal(twice.weights, target.weights)
