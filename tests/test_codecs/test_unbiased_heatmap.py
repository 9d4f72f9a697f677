"""Heatmaps to keypoints and back, against the release's numbers and cases worked out by hand."""

import cv2
import numpy as np
import pytest
import torch
from conftest import CONFIGS
from golden import DATA, config_path
from mmengine.config import Config
from mmpose.codecs import UDPHeatmap
from mmpose.codecs.utils import generate_udp_gaussian_heatmaps
from mmpose.registry import KEYPOINT_CODECS

from mmtranspose.codecs import UnbiasedHeatmap

INPUT, HEATMAP = np.array([192, 256]), np.array([48, 64])
FACTOR = 191 / 47


@pytest.fixture(scope='module')
def golden():
    with np.load(DATA / 'pipeline.npz') as file:
        return dict(file)


@pytest.fixture
def codec():
    return UnbiasedHeatmap(tuple(INPUT), tuple(HEATMAP), sigma=2)


def blobs(cells, heights, sigma=2.0):
    """Heatmaps (K, H, W) with a Gaussian of the given height about each cell (x, y)."""
    y, x = np.mgrid[: HEATMAP[1], : HEATMAP[0]]
    maps = [h * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * sigma**2)) for (cx, cy), h in zip(cells, heights)]
    return np.array(maps, np.float32)


def to_pixels(keypoints):
    """MMPose's input frame, 0 to n from edge to edge, to pixels 0 to n - 1 of the crop."""
    return keypoints / INPUT * (INPUT - 1)


def from_cells(cells):
    """Cells to pixels of the crop by the release's single factor about the middle."""
    return (np.asarray(cells) - (HEATMAP - 1) / 2) * FACTOR + (INPUT - 1) / 2


def to_image(keypoints, center, size):
    """Keypoints in the image: n pixels of a box lie n - 1 apart, and one factor serves both axes."""
    return center + (to_pixels(keypoints) - (INPUT - 1) / 2) * (size[0] - 1) / (INPUT[0] - 1)


def decoded(codec, golden):
    """Keypoints in the image and scores of the three golden people."""
    found = [codec.decode(heatmaps) for heatmaps in golden['heatmaps']]
    boxes = zip(golden['center'], golden['scale_px'])
    keypoints = [to_image(k[0], *box) for (k, _), box in zip(found, boxes)]
    return np.array(keypoints), np.array([scores[0] for _, scores in found])


class TestAgainstTheRelease:
    def test_agreement(self, golden):
        codec = KEYPOINT_CODECS.build(Config.fromfile(config_path('r-a3')).codec)
        assert type(codec) is UnbiasedHeatmap
        keypoints, scores = decoded(codec, golden)
        np.testing.assert_allclose(keypoints, golden['keypoints'], rtol=0, atol=1e-3)
        np.testing.assert_allclose(scores, golden['scores'], rtol=0, atol=1e-6)

    def test_mmposes_udp_is_farther_away(self, golden):
        codec = UDPHeatmap(tuple(INPUT), tuple(HEATMAP), sigma=2)
        error = np.abs(decoded(codec, golden)[0] - golden['keypoints'])
        assert error.max() > 0.1 and error.mean() > 0.01

    def test_the_configs_of_every_variant_use_it(self):
        for variant in ('r-a3', 'r-a4', 'h-s', 'h-a4', 'h-a6'):
            cfg = Config.fromfile(config_path(variant))
            encoders = [step['encoder'] for step in cfg.train_pipeline if 'encoder' in step]
            assert all(encoder == cfg.codec for encoder in (cfg.model.head.decoder, *encoders))
            assert cfg.codec.type == 'UnbiasedHeatmap' and cfg.codec.sigma == 2


class TestEncode:
    def test_targets_are_unquantised_gaussians(self, codec):
        points = np.array([[[95.5, 127.5], [0, 0], [191, 255], [33.3, 60.7]]])
        encoded = codec.encode(points, np.ones((1, 4)))
        cells = points[0] * (HEATMAP - 1) / (INPUT - 1)
        expected = blobs(cells, np.ones(4))
        near = expected > np.exp(-((3 * 2.0) ** 2) / (2 * 2.0**2))  # MMPose draws them three sigmas wide
        np.testing.assert_allclose(encoded['heatmaps'][near], expected[near], atol=1e-5)
        assert encoded['heatmaps'][expected < 1e-5].max() == 0
        # worked out: cell (23.5, 31.5) lies half a cell off four cells
        np.testing.assert_allclose(encoded['heatmaps'][0, 31:33, 23:25], np.exp(-0.5 / 8), atol=1e-6)
        assert encoded['heatmaps'][1, 0, 0] == encoded['heatmaps'][2, 63, 47] == 1

    def test_weights(self, codec):
        points = np.array([[[50.0, 50], [60, 60], [-100, 60], [60, 400]]])
        encoded = codec.encode(points, np.array([[1, 0, 1, 1]]))
        assert encoded['keypoint_weights'].tolist() == [[1, 0, 0, 0]]  # unseen, or far outside
        assert encoded['heatmaps'][1:].max() == 0 < encoded['heatmaps'][0].max()


def drawn_cell_by_cell(codec, points, visible):
    """What encode and render draw, from the formula, in float64: heatmaps (K, H, W) and weights (K,)."""
    cells = points / codec.scale_factor.astype(points.dtype)
    heatmaps, weights = np.zeros((len(points), *codec.heatmap_size[::-1])), visible.copy()
    for k, cell in enumerate(cells):
        inside = False
        for row, col in np.ndindex(heatmaps.shape[1:]):
            if np.abs((col, row) - np.floor(cell + 0.5)).max() <= 3 * codec.sigma:
                inside = True
                squares = np.square((col, row) - cell.astype(float)).sum()
                heatmaps[k, row, col] = np.exp(-squares / (2 * codec.sigma**2)) * (visible[k] >= 0.5)
        weights[k] *= inside
    return heatmaps, weights


class TestRender:
    @pytest.fixture
    def points(self):
        return np.random.default_rng(0).uniform(-40, 300, (3, 9, 2)).astype(np.float32)

    @pytest.mark.parametrize('sigma', [1.5, 2])  # 3 sigma is no whole number of cells, and is one
    def test_values(self, points, sigma):
        codec = UnbiasedHeatmap((96, 128), (24, 32), sigma=sigma)
        points = points / 2
        visible = np.random.default_rng(1).choice([0, 0.3, 0.5, 1, 2], (3, 9)).astype(np.float32)
        heatmaps, weights = codec.render(torch.from_numpy(points), torch.from_numpy(visible))
        assert heatmaps.dtype == weights.dtype == torch.float32
        for b in range(3):
            expected_heatmaps, expected_weights = drawn_cell_by_cell(codec, points[b], visible[b])
            np.testing.assert_allclose(heatmaps[b].numpy(), expected_heatmaps, rtol=0, atol=1e-6)
            np.testing.assert_array_equal(weights[b].numpy(), expected_weights)
        assert 5 < (weights > 0).sum() < 22 and (heatmaps.amax((2, 3)) > 0).sum() >= 5

    def test_batch_is_encode_of_each(self, codec, points):
        visible = np.random.default_rng(1).integers(0, 3, (3, 9)).astype(np.float32)
        heatmaps, weights = codec.render(torch.from_numpy(points), torch.from_numpy(visible))
        for b in range(3):
            encoded = codec.encode(points[b : b + 1], visible[b : b + 1])
            np.testing.assert_array_equal(heatmaps[b].numpy(), encoded['heatmaps'])
            np.testing.assert_array_equal(weights[b : b + 1].numpy(), encoded['keypoint_weights'])

    def test_mmposes_drawing_inside_the_borders(self, codec):
        points = np.random.default_rng(0).uniform((30, 30), (160, 220), (1, 40, 2)).astype(np.float32)
        cells = points / codec.scale_factor
        expected, weights = generate_udp_gaussian_heatmaps((48, 64), cells, np.ones((1, 40), np.float32), sigma=2)
        found, found_weights = codec.render(torch.from_numpy(points), torch.ones(1, 40))
        np.testing.assert_allclose(found[0].numpy(), expected, rtol=0, atol=1e-6)
        np.testing.assert_array_equal(found_weights.numpy(), weights)

    def test_what_was_given_is_left_as_it_is(self, codec, points):
        visible = np.ones((1, 9), np.float32)
        before = points.copy()
        codec.encode(points[:1], visible)
        np.testing.assert_array_equal(points, before)
        assert (visible == 1).all()

    def test_a_point_that_is_nowhere(self, codec):
        heatmaps, weights = codec.render(torch.full((1, 1, 2), torch.nan), torch.ones(1, 1))
        assert weights.item() == 0 and not heatmaps.any()


class TestDecode:
    @pytest.mark.parametrize('cell', [(23, 31), (10, 40), (23.4, 31.3), (30.25, 12.6), (8.9, 50.45)])
    def test_a_gaussians_middle_is_found(self, codec, cell):
        keypoints, scores = codec.decode(blobs([cell], [0.7]))
        assert keypoints.shape == (1, 1, 2) and scores.shape == (1, 1)
        np.testing.assert_allclose(to_pixels(keypoints)[0, 0], from_cells(cell), atol=0.1)
        assert scores[0, 0] == pytest.approx(blobs([cell], [0.7]).max())

    def test_one_factor_serves_both_axes(self, codec):
        # (24, 11) lies 0.5 right of the middle and 20.5 above it
        keypoints, _ = codec.decode(blobs([(24, 11)], [1]))
        x, y = to_pixels(keypoints)[0, 0]
        assert x == pytest.approx(95.5 + 0.5 * FACTOR, abs=1e-3)
        assert y == pytest.approx(127.5 - 20.5 * FACTOR, abs=1e-3)
        assert abs(y - 11 * 255 / 63) > 0.2  # what a factor of its own would give

    @pytest.mark.parametrize('cell', [(0, 30), (47, 30), (20, 0), (20, 63), (0, 0), (47, 63), (1, 30), (20, 62)])
    def test_peaks_at_the_border_are_not_moved(self, codec, cell):
        keypoints, _ = codec.decode(blobs([np.array(cell) + 0.3], [1]))
        np.testing.assert_allclose(to_pixels(keypoints)[0, 0], from_cells(cell), atol=1e-3)

    @pytest.mark.filterwarnings('ignore:invalid value:RuntimeWarning')  # MMPose divides by the peak's height
    def test_heatmaps_without_a_peak(self, codec):
        keypoints, scores = codec.decode(np.zeros((2, 64, 48), np.float32))
        assert scores.tolist() == [[0, 0]]
        np.testing.assert_allclose(to_pixels(keypoints)[0], from_cells([(-1, -1)] * 2), atol=1e-3)

    def test_heatmaps_are_left_as_they_are(self, codec):
        heatmaps = blobs([(20.3, 30.3), (5, 5)], [1, 0.5])
        before = heatmaps.copy()
        codec.decode(heatmaps)
        np.testing.assert_array_equal(heatmaps, before)

    def test_height_does_not_move_the_peak(self, codec):
        one, tenth = (codec.decode(blobs([(20.3, 30.3)], [height])) for height in (1, 0.1))
        np.testing.assert_allclose(one[0], tenth[0], atol=1e-3)
        assert tenth[1] == pytest.approx(one[1] / 10)

    def test_the_blurs_width_is_honoured(self):
        rng = np.random.default_rng(0)
        noisy = blobs([(20, 30)], [1]) + rng.uniform(0, 0.3, (1, 64, 48)).astype(np.float32)
        peak = np.array(np.unravel_index(noisy[0].argmax(), (64, 48)))[::-1]
        for size in (3, 11):
            codec = UnbiasedHeatmap(tuple(INPUT), tuple(HEATMAP), blur_kernel_size=size)
            step = taylor_step(cv2.GaussianBlur(np.pad(noisy[0], 20), (size, size), 0)[20:-20, 20:-20], *peak)
            found = to_pixels(codec.decode(noisy)[0])[0, 0]
            np.testing.assert_allclose(found, from_cells(peak + step), atol=5e-3)


def taylor_step(heatmap, x, y):
    """From a peak to the top of the log's second-order expansion (the paper's DARK), with steps of two cells."""
    p = np.log(np.maximum(heatmap.astype(float), 1e-10))
    dx, dy = (p[y, x + 1] - p[y, x - 1]) / 2, (p[y + 1, x] - p[y - 1, x]) / 2
    dxx = (p[y, x + 2] - 2 * p[y, x] + p[y, x - 2]) / 4
    dyy = (p[y + 2, x] - 2 * p[y, x] + p[y - 2, x]) / 4
    dxy = (p[y + 1, x + 1] - p[y - 1, x + 1] - p[y + 1, x - 1] + p[y - 1, x - 1]) / 4
    return -np.linalg.solve([[dxx, dxy], [dxy, dyy]], [dx, dy])


CONFIG_FILES = sorted(CONFIGS.glob('*/td-hm_transpose-*.py'))


@pytest.fixture(params=CONFIG_FILES, ids=lambda path: path.stem.removeprefix('td-hm_transpose-'))
def codec_of_config(request):
    return KEYPOINT_CODECS.build(Config.fromfile(request.param).codec)


def grid_points(codec):
    """Points (1, K, 2) all over the input, in pixels; no two in the same row or column of cells' fractions."""
    count = np.array(codec.heatmap_size)
    steps = [np.linspace(0.13, n - 1.13, 2 * n) for n in count]
    cells = np.stack(np.meshgrid(*steps), -1).reshape(1, -1, 2)[:, ::7]
    return cells * codec.scale_factor


class TestEveryConfigsCodec:
    def test_targets_are_where_the_keypoints_are(self, codec_of_config):
        codec = codec_of_config
        points = grid_points(codec)
        heatmaps = codec.encode(points)['heatmaps']
        cells = points[0] * (np.array(codec.heatmap_size) - 1) / (np.array(codec.input_size) - 1)
        for heatmap, cell in zip(heatmaps, cells):
            row, col = np.unravel_index(heatmap.argmax(), heatmap.shape)
            assert np.abs(cell - (col, row)).max() <= 0.5 + 1e-6
            distance = np.square(cell - (col, row)).sum()
            assert heatmap[row, col] == pytest.approx(np.exp(-distance / (2 * codec.sigma**2)), abs=1e-5)

    def test_there_and_back(self, codec_of_config):
        codec = codec_of_config
        points, size = grid_points(codec), np.array(codec.input_size)
        cells = points / codec.scale_factor
        inside = ((cells > 6) & (cells < np.array(codec.heatmap_size) - 7)).all(-1)
        keypoints, scores = codec.decode(codec.encode(points[:, inside[0]])['heatmaps'])
        error = np.abs(keypoints / size * (size - 1) - points[:, inside[0]])
        # the decoder's factor is that of x; in y the targets' differs by up to half a percent
        tilt = (size[1] - 1) / 2 * abs(codec.scale_factor[0] / codec.scale_factor[1] - 1)
        assert error[..., 0].max() < 0.15 and error[..., 1].max() < 0.15 + tilt
        assert scores.min() > 0.8


def test_several_persons_are_refused():
    codec = UnbiasedHeatmap((48, 64), (12, 16))
    with pytest.raises(ValueError, match='one person at a time, not 2'):
        codec.encode(np.zeros((2, 3, 2), np.float32))
