"""Apple's device has no float64: what needs it is computed on the CPU, with the same results."""

import numpy as np
import pytest
import torch
from mmpose.registry import KEYPOINT_CODECS
from stand_in_mps import OnMps, StandInMps

import mmtranspose.codecs  # noqa: F401  (registers them)
from mmtranspose.codecs.batch_decoding import batch_decoder
from mmtranspose.codecs.precision import has_float64, precise
from mmtranspose.explain.metrics.discs import disc_coverage
from mmtranspose.explain.metrics.localization import pointing_game, reach
from mmtranspose.models.heads.pose_accuracy import pose_accuracy

SIZE = dict(input_size=(48, 64), heatmap_size=(12, 16))
TO_CROP = np.array([[8.0, 0, 3.5], [0, 8.0, 3.5]])


def test_devices():
    assert has_float64(torch.device('cpu')) and not has_float64(torch.device('mps', 0))
    assert precise(torch.device('mps')) == torch.device('cpu') and precise(torch.device('cuda:1')).index == 1


def test_the_stand_in_is_strict():
    with StandInMps():
        one = torch.ones(2, device='mps')
        assert isinstance(one, OnMps) and one.device.type == 'mps' and one.cpu().device.type == 'cpu'
        assert (one + 1).device.type == 'mps' and one.to('cpu').double().dtype == torch.float64
        for wrong in (one.double, lambda: torch.zeros(2, dtype=torch.float64, device=one.device)):
            with pytest.raises(TypeError, match='float64'):
                wrong()
        with pytest.raises(RuntimeError, match='same device'):
            one + torch.ones(2)


def on_both(function, *tensors):
    """What a function gives for tensors on the CPU, and for the same tensors on the stand-in, as arrays."""
    expected = function(*tensors)
    with StandInMps():
        found = function(*(tensor.to('mps') for tensor in tensors))
        assert all(not isinstance(one, torch.Tensor) or one.device.type == 'mps' for one in flat(found))
        found = [one.cpu() if isinstance(one, torch.Tensor) else one for one in flat(found)]
    return [np.asarray(one) for one in flat(expected)], [np.asarray(one) for one in found]


def flat(values):
    return values if isinstance(values, (tuple, list)) else [values]


def assert_equal(both, tolerance=0.0):
    for expected, found in zip(*both, strict=True):
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(
    'codec',
    [
        dict(type='UnbiasedHeatmap', sigma=1.0),
        dict(type='MSRAHeatmap', sigma=1.0),
        dict(type='MSRAHeatmap', sigma=1.0, unbiased=True),
        dict(type='UDPHeatmap', sigma=1.0),
    ],
    ids=str,
)
def test_decoding(codec):
    decoder = batch_decoder(KEYPOINT_CODECS.build(dict(codec, **SIZE)))
    heatmaps = torch.rand(2, 3, 16, 12)
    heatmaps[0, 0] = 0
    assert_equal(on_both(decoder, heatmaps))


def test_targets():
    codec = KEYPOINT_CODECS.build(dict(type='UnbiasedHeatmap', sigma=1.0, **SIZE))
    assert_equal(on_both(codec.render, torch.rand(2, 3, 2) * 60, torch.ones(2, 3)))


def test_accuracy():
    heatmaps, targets = torch.rand(2, 4, 3, 16, 12)
    assert_equal(
        on_both(
            lambda *maps: pose_accuracy(*maps, torch.ones(4, 3, dtype=torch.bool).to(maps[0].device), 0.3),
            heatmaps,
            targets,
        ),
        1e-6,
    )


def test_measures():
    maps, points, radii = torch.rand(2, 3, 8, 6), torch.rand(2, 3, 2) * 40, torch.rand(2, 3) * 10 + 1
    points[0, 1] = torch.nan
    assert_equal(on_both(lambda maps, points, radii: pointing_game(maps, points, radii, TO_CROP), maps, points, radii))
    assert_equal(on_both(lambda *given: reach(*given[:2], TO_CROP, given[2]), maps, points, radii[:, 0]), 1e-6)
    assert_equal(on_both(lambda *given: disc_coverage(*given, (8, 6), TO_CROP), points, radii))
