"""Whole-batch decoding against each codec's own decoding of one person after another."""

import numpy as np
import pytest
import torch
from mmpose.codecs import MSRAHeatmap, UDPHeatmap
from mmpose.codecs.utils import get_heatmap_maximum

from mmtranspose.codecs import UnbiasedHeatmap, batch_decoder
from mmtranspose.codecs.blur import blur_around, blurred_maximum

SIZES = [(48, 64), (64, 64), (24, 18), (12, 16), (6, 8), (5, 4)]
CODECS = dict(
    unbiased=UnbiasedHeatmap,
    udp=UDPHeatmap,
    dark=lambda *sizes, **options: MSRAHeatmap(*sizes, sigma=2, unbiased=True, **options),
    quarter=lambda *sizes, **options: MSRAHeatmap(*sizes, sigma=2, **options),
)


def make_codec(name, heatmap_size=(48, 64), **options):
    return CODECS[name](tuple(4 * n for n in heatmap_size), heatmap_size, **options)


@pytest.fixture(params=CODECS)
def name(request):
    return request.param


@pytest.fixture
def codec(name):
    return make_codec(name)


def gaussians(rng, size, heights, cells=None, shape=(3, 17), sigma=2.0):
    """Heatmaps (*shape, H, W), float64, of one Gaussian each, of a height drawn from the range, at drawn cells."""
    y, x = np.mgrid[: size[1], : size[0]]
    cells = rng.uniform(0, np.array(size) - 1, (*shape, 2)) if cells is None else np.broadcast_to(cells, (*shape, 2))
    squares = (x - cells[..., 0, None, None]) ** 2 + (y - cells[..., 1, None, None]) ** 2
    return rng.uniform(*heights, shape)[..., None, None] * np.exp(-squares / (2 * sigma**2))


def spikes(rng, size, background, height, shape=(2, 17)):
    """One cell of the given height in each map of a constant background."""
    maps = np.full((*shape, size[1] * size[0]), float(background))
    np.put_along_axis(maps, rng.integers(0, maps.shape[-1], (*shape, 1)), height, -1)
    return maps.reshape(*shape, size[1], size[0])


def noise(rng, size, deviation, shape=(3, 17)):
    return rng.normal(0, deviation, (*shape, size[1], size[0]))


def border_cells(size):
    """Middles 0, 1 and 2 cells from the borders and in the corners, (12, 2)."""
    x, y = size[0] - 1, size[1] - 1
    corners = [(0, 0), (x, 0), (0, y), (x, y), (1, 1), (x - 1, y - 1), (2, 2), (x - 2, y - 2)]
    return np.array([*corners, (0, y // 2), (x // 2, 0), (x, y // 2), (x // 2, y)], float)


def buried_spikes(rng, size):
    """The highest cell stands in a hole, below which the blurred map is clipped: all derivatives are 0."""
    cell = np.array(size) // 2
    maps = gaussians(rng, size, (0.2, 0.5), (0, 0)) - gaussians(rng, size, (5, 5), cell, sigma=3)
    maps[..., cell[1], cell[0]] = 0.6
    return maps


def two_peaks(rng, size):
    """Two equal Gaussians: the first, row by row, is taken."""
    one, other = (gaussians(rng, size, (0.5, 0.5), cells, (1, 3)) for cells in ((1, 1), np.array(size) - 2))
    return one + other


CASES = {
    'peaked': lambda rng, size: gaussians(rng, size, (0.2, 1)) + noise(rng, size, 0.01),
    'noisy': lambda rng, size: gaussians(rng, size, (0.5, 1)) + noise(rng, size, 0.05),
    'narrow': lambda rng, size: gaussians(rng, size, (0.2, 1), sigma=0.6),
    'low': lambda rng, size: gaussians(rng, size, (0.001, 0.01)),
    'lowest': lambda rng, size: gaussians(rng, size, (1e-12, 1e-7)),
    'high': lambda rng, size: gaussians(rng, size, (20, 100)),
    'border': lambda rng, size: gaussians(rng, size, (0.5, 1), border_cells(size) + 0.3, (1, 12)),
    'two peaks': two_peaks,
    'flat': lambda rng, size: np.full((1, 2, size[1], size[0]), 0.3),
    'spike on zeros': lambda rng, size: spikes(rng, size, 0, 0.7),
    'spike on negatives': lambda rng, size: spikes(rng, size, -1, 0.2),
    'peak on negatives': lambda rng, size: gaussians(rng, size, (0.4, 1)) - 0.3,
    'buried spike': buried_spikes,
    'zero': lambda rng, size: np.zeros((1, 2, size[1], size[0])),
    'negative': lambda rng, size: -1 - gaussians(rng, size, (0.2, 1)),
    '133 keypoints': lambda rng, size: (
        gaussians(rng, size, (0.2, 1), shape=(2, 133)) + noise(rng, size, 0.01, (2, 133))
    ),
}


def make_case(case, size=(48, 64)):
    return torch.from_numpy(CASES[case](np.random.default_rng(0), size).astype(np.float32))


def one_by_one(codec, heatmaps):
    """``codec.decode`` of each person; where a map has no peak, UDP's step from outside the map is taken back."""
    with np.errstate(all='ignore'):
        found = [codec.decode(maps) for maps in heatmaps.numpy()]
    keypoints, scores = (np.array(values) for values in zip(*found))
    if type(codec) is UDPHeatmap:
        outside = -np.array(codec.input_size) / (np.array(codec.heatmap_size) - 1)
        keypoints[scores <= 0] = outside
    return keypoints, scores


def assert_same(codec, heatmaps):
    keypoints, scores = batch_decoder(codec)(heatmaps)
    expected_keypoints, expected_scores = one_by_one(codec, heatmaps)
    np.testing.assert_array_equal(scores, expected_scores)
    np.testing.assert_allclose(keypoints, expected_keypoints, rtol=0, atol=0.01)
    assert (keypoints.dtype, scores.dtype) == (expected_keypoints.dtype, expected_scores.dtype)


def codec_frame(codec, cells):
    """Cells (..., 2) in the codec's input frame, roughly: the frames differ by a pixel or two."""
    return cells * np.array(codec.input_size) / np.array(codec.heatmap_size)


class TestAgainstTheCodec:
    @pytest.mark.parametrize('case', CASES)
    def test_cases(self, codec, case):
        assert_same(codec, make_case(case))

    @pytest.mark.parametrize('size', SIZES, ids=str)
    @pytest.mark.parametrize('case', ['peaked', 'border', 'flat', 'zero', 'spike on zeros'])
    def test_sizes(self, name, size, case):
        assert_same(make_codec(name, size), make_case(case, size))

    @pytest.mark.parametrize('kernel_size', [3, 7, 17])
    def test_kernel_sizes(self, name, kernel_size):
        codec = make_codec(name, blur_kernel_size=kernel_size)
        for case in ('noisy', 'border', 'peak on negatives'):
            assert_same(codec, make_case(case))

    @pytest.mark.parametrize('case', ['uniform', 'normal'])
    def test_noise_without_a_peak(self, codec, case):
        """MMPose's rounding shows where the Hessian is all but singular: where it leaves the peak far behind."""
        rng = np.random.default_rng(0)
        maps = (rng.random((6, 17, 64, 48)) if case == 'uniform' else rng.normal(0, 0.1, (6, 17, 64, 48))).astype('f')
        keypoints, scores = batch_decoder(codec)(torch.from_numpy(maps))
        expected, expected_scores = one_by_one(codec, torch.from_numpy(maps))
        steps = np.abs(expected - codec_frame(codec, get_heatmap_maximum(maps)[0][:, None]))
        near = (steps < 3 * 4).all(-1)
        assert near.mean() > 0.5
        np.testing.assert_allclose(keypoints[near], expected[near], rtol=0, atol=0.01)
        np.testing.assert_array_equal(scores, expected_scores)

    def test_shapes(self, codec):
        keypoints, scores = batch_decoder(codec)(torch.rand(3, 5, 64, 48))
        assert keypoints.shape == (3, 1, 5, 2) and scores.shape == (3, 1, 5)
        keypoints, scores = batch_decoder(codec)(torch.rand(0, 5, 64, 48))
        assert keypoints.shape == (0, 1, 5, 2) and scores.shape == (0, 1, 5)

    def test_without_derivatives_there_is_no_step(self, codec):
        keypoints, _ = batch_decoder(codec)(make_case('buried spike'))
        spike = np.abs(keypoints - codec_frame(codec, np.array([24, 32])))
        assert spike.max() < 2.1


class TestInputs:
    def test_memory_formats_and_views(self, codec):
        maps = make_case('noisy')
        expected = batch_decoder(codec)(maps)
        wide = torch.zeros(3, 17, 64, 60)
        wide[..., 5:53] = maps
        for same in (
            maps.contiguous(memory_format=torch.channels_last),
            wide[..., 5:53],
            maps.clone().requires_grad_(),
        ):
            for ours, theirs in zip(batch_decoder(codec)(same), expected):
                np.testing.assert_array_equal(ours, theirs)

    @pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16, torch.float64], ids=str)
    def test_other_dtypes_are_cast(self, codec, dtype):
        maps = make_case('peaked').to(dtype)
        for ours, theirs in zip(batch_decoder(codec)(maps), batch_decoder(codec)(maps.float())):
            assert ours.dtype == theirs.dtype
            np.testing.assert_array_equal(ours, theirs)

    def test_autocast_changes_nothing(self, codec):
        maps = make_case('peak on negatives')
        expected = batch_decoder(codec)(maps)
        with torch.autocast('cpu', torch.bfloat16):
            found = batch_decoder(codec)(maps)
        np.testing.assert_array_equal(found[0], expected[0])

    def test_heatmaps_are_left_as_they_are(self, codec):
        maps = make_case('peak on negatives')
        before = maps.clone()
        batch_decoder(codec)(maps)
        assert torch.equal(maps, before)


class TestNotFinite:
    @pytest.mark.parametrize('value', [np.nan, np.inf])
    @pytest.mark.parametrize('case', ['peaked', 'peak on negatives'])  # without and with the whole map's blur
    def test_only_that_keypoint_is_lost(self, codec, case, value):
        maps = make_case(case)
        keypoints, scores = batch_decoder(codec)(maps)
        lost = np.zeros(scores.shape, bool)
        for keypoint, cell in (((0, 0), (0, 0)), ((1, 7), (30, 20)), ((2, 16), (63, 47))):
            maps[keypoint][cell] = value
            lost[keypoint[0], 0, keypoint[1]] = True
        found, found_scores = batch_decoder(codec)(maps)
        assert (found_scores[lost] == 0).all() and np.isfinite(found).all()
        nowhere, _ = batch_decoder(codec)(torch.zeros(1, 1, 64, 48))
        np.testing.assert_array_equal(found[lost], np.repeat(nowhere[0, 0], 3, 0))
        np.testing.assert_array_equal(found[~lost], keypoints[~lost])
        np.testing.assert_array_equal(found_scores[~lost], scores[~lost])

    def test_negative_infinity_is_a_low_value(self, codec):
        maps = make_case('peaked')
        keypoints, scores = batch_decoder(codec)(maps)
        row, col = np.unravel_index(maps[1, 7].argmax(), maps.shape[2:])
        far = (0 if row > 32 else 63, 0 if col > 24 else 47)
        maps[1, 7][far] = -np.inf
        found, found_scores = batch_decoder(codec)(maps)
        np.testing.assert_array_equal(found, keypoints)
        maps[1, 7, row, col - 1 if col else 1] = -np.inf
        found, found_scores = batch_decoder(codec)(maps)
        assert np.isfinite(found).all() and np.abs(found - keypoints).max() < 4
        np.testing.assert_array_equal(found_scores, scores)

    def test_maps_of_nothing_else(self, codec):
        keypoints, scores = batch_decoder(codec)(torch.full((1, 2, 64, 48), torch.nan))
        assert np.isfinite(keypoints).all() and not scores.any()


class TestBlur:
    """Against a convolution with the kernel's formula."""

    @pytest.fixture
    def kernel(self):
        offsets = torch.arange(-5, 6, dtype=torch.float64)
        weights = torch.exp(-(offsets**2) / (2 * 2.0**2))  # 11 cells: OpenCV's sigma is 2
        return torch.outer(weights, weights) / weights.sum() ** 2

    @pytest.mark.parametrize('size', [(64, 48), (16, 12), (4, 7)], ids=str)
    def test_values(self, kernel, size):
        maps = torch.randn(40, *size)
        blurred = torch.nn.functional.conv2d(maps.double().unsqueeze(1), kernel[None, None], padding=5).squeeze(1)
        rows, cols = (torch.randint(n, (40,)) for n in size)
        found = blur_around(maps, rows, cols, 11, 2)
        for index in range(40):
            y, x = ((at[index] + torch.arange(-2, 3)).clamp(0, n - 1).tolist() for at, n in zip((rows, cols), size))
            torch.testing.assert_close(found[index], blurred[index][y][:, x], rtol=0, atol=1e-7)
        torch.testing.assert_close(blurred_maximum(maps, 11), blurred.amax((1, 2)), rtol=0, atol=1e-7)

    def test_more_maps_than_are_blurred_at_once(self):
        maps = torch.randn(600, 8, 6)
        alone = torch.cat([blurred_maximum(one, 11) for one in maps.split(1)])
        torch.testing.assert_close(blurred_maximum(maps, 11), alone)


class TestChoice:
    def test_subclasses_decode_in_their_own_way(self):
        class Mirrored(UnbiasedHeatmap):
            def decode(self, encoded):
                return super().decode(encoded[..., ::-1])

        assert batch_decoder(Mirrored((192, 256), (48, 64))) is None
        assert batch_decoder(UnbiasedHeatmap((192, 256), (48, 64))) is not None

    def test_not_known(self):
        assert batch_decoder(None) is None
        assert batch_decoder(UDPHeatmap((192, 256), (48, 64), heatmap_type='combined')) is None
        assert batch_decoder(make_codec('udp', blur_kernel_size=10)) is None  # MMPose refuses it
