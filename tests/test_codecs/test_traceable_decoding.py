"""Decoding by operations that exported graphs have: as the batch decoder, in single precision."""

import numpy as np
import pytest
import torch
from mmpose.codecs import MSRAHeatmap, UDPHeatmap

from mmtranspose.codecs import UnbiasedHeatmap, batch_decoder

SIZES = dict(input_size=(192, 256), heatmap_size=(48, 64), sigma=2.0)
CODECS = {
    'unbiased': UnbiasedHeatmap(**SIZES),
    'udp': UDPHeatmap(**SIZES),
    'dark': MSRAHeatmap(**SIZES, unbiased=True),
    'quarter step': MSRAHeatmap(**SIZES),
}


def blobs(seed=0):
    """Heatmaps (4, 17, 64, 48): Gaussians with a little noise, at the border too."""
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(0, 47, (4, 17, 1, 1)), rng.uniform(0, 63, (4, 17, 1, 1))
    rows, cols = np.mgrid[:64, :48]
    maps = np.exp(-((cols - x) ** 2 + (rows - y) ** 2) / 8) * rng.uniform(0.2, 1, (4, 17, 1, 1))
    return torch.from_numpy(maps + rng.normal(0, 1e-3, maps.shape)).float()


@pytest.mark.parametrize('name', CODECS)
def test_equals_the_batch_decoder(name):
    decoder = batch_decoder(CODECS[name])
    maps = blobs()
    wanted, wanted_scores = decoder(maps)
    found, scores = decoder.traceable(maps)
    assert found.dtype == scores.dtype == torch.float32
    assert np.abs(found.numpy() - wanted[:, 0]).max() < 5e-3
    assert (scores.numpy() == wanted_scores[:, 0]).all()


def test_maps_without_a_peak():
    decoder = batch_decoder(CODECS['unbiased'])
    maps = blobs()[:1, :4].clone()
    maps[0, 0], maps[0, 1, 3, 3], maps[0, 2] = -1, torch.nan, 0
    (wanted, wanted_scores), (found, scores) = decoder(maps), decoder.traceable(maps)
    assert np.allclose(found.numpy(), wanted[:, 0], atol=5e-3)
    assert np.allclose(scores.numpy(), wanted_scores[:, 0])


def test_of_nobody():
    found, scores = batch_decoder(CODECS['unbiased']).traceable(torch.zeros(0, 17, 64, 48))
    assert found.shape == (0, 17, 2) and scores.shape == (0, 17)
