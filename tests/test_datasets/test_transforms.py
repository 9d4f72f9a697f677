"""The authors' crop and augmentation, against the release's numbers, pixels and distributions."""

import cv2
import numpy as np
import pytest
import torch
from golden import DATA, config_path
from mmcv.transforms import Compose
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpose.datasets.transforms import GetBBoxCenterScale, RandomFlip, TopdownAffine
from mmpose.models.pose_estimators import TopdownPoseEstimator
from mmpose.registry import MODELS

from mmtranspose.datasets.transforms import ClippedRandomBBoxTransform, UnbiasedTopdownAffine

W, H = 192, 256
FLIP = [0, 2, 1]


@pytest.fixture(scope='module')
def golden():
    with np.load(DATA / 'pipeline.npz') as file:
        return dict(file)


@pytest.fixture(scope='module')
def cfg():
    init_default_scope('mmpose')
    return Config.fromfile(config_path('r-a3'))


def sample(bbox_xywh, image=None, keypoints=None):
    x, y, w, h = bbox_xywh
    keypoints = np.zeros((1, 3, 2)) if keypoints is None else keypoints
    image = np.zeros((480, 640, 3), np.uint8) if image is None else image
    return dict(
        img=image,
        img_shape=image.shape[:2],
        ori_shape=image.shape[:2],
        bbox=np.array([[x, y, x + w, y + h]], np.float32),
        bbox_score=np.ones(1, np.float32),
        keypoints=keypoints,
        keypoints_visible=np.ones(keypoints.shape[:2]),
        flip_indices=FLIP,
    )


def warp_of(transform, results):
    """The (2, 3) matrix that a transform moves keypoints by."""
    corners = np.array([[[0.0, 0], [1, 0], [0, 1]]])
    origin, right, down = transform({**results, 'keypoints': corners})['transformed_keypoints'][0]
    return np.column_stack([right - origin, down - origin, origin])


class TestAgainstTheRelease:
    def test_the_configs_crop(self, cfg, golden):
        for box, center, scale, warp in zip(*(golden[k] for k in ('bbox_xywh', 'center', 'scale_px', 'input_warp'))):
            pipeline = Compose(cfg.val_pipeline[:-1])
            results = pipeline(sample(box))
            np.testing.assert_allclose(results['input_center'], center, rtol=0, atol=1e-3)
            # the release counts pixels, we the distance between the outer ones
            np.testing.assert_allclose(results['input_scale'][0] + 1, scale[0], rtol=0, atol=1e-3)
            np.testing.assert_allclose(results['input_scale'][1], (scale[0] - 1) * 255 / 191, rtol=0, atol=1e-3)
            found = warp_of(pipeline, sample(box))
            np.testing.assert_allclose(found[:, :2], warp[:, :2], rtol=0, atol=1e-6)
            np.testing.assert_allclose(found[:, 2], warp[:, 2], rtol=0, atol=1e-3)

    def test_mmposes_udp_is_half_a_pixel_off(self, golden):
        transforms = [GetBBoxCenterScale(padding=1.25), TopdownAffine((W, H), use_udp=True)]
        for box, center in zip(golden['bbox_xywh'], golden['center']):
            results = Compose(transforms)(sample(box))
            np.testing.assert_allclose(results['input_center'] - center, 0.5, atol=1e-3)

    def predict(self, cfg, golden):
        """From boxes and heatmaps to keypoints in the image, by the config's own pipeline, head and estimator."""
        head = MODELS.build(cfg.model.head)
        pipeline = Compose(cfg.val_pipeline)
        samples = [pipeline(sample(box))['data_samples'] for box in golden['bbox_xywh']]
        estimator = TopdownPoseEstimator.__new__(TopdownPoseEstimator)
        torch.nn.Module.__init__(estimator)
        estimator.test_cfg = {}
        predictions = head.decode(torch.from_numpy(golden['heatmaps']))
        found = [s.pred_instances for s in estimator.add_pred_to_datasample(predictions, None, samples)]
        return np.concatenate([s.keypoints for s in found]), np.concatenate([s.keypoint_scores for s in found])

    def test_from_box_to_keypoints(self, cfg, golden):
        keypoints, scores = self.predict(cfg, golden)
        np.testing.assert_allclose(keypoints, golden['keypoints'], rtol=0, atol=1e-3)
        np.testing.assert_allclose(scores, golden['scores'], rtol=0, atol=1e-6)

    def test_mmposes_own_parts_are_farther_away(self, cfg, golden):
        theirs = cfg.copy()
        theirs.model.head.decoder.type = 'UDPHeatmap'
        theirs.val_pipeline[2] = dict(type='TopdownAffine', input_size=(W, H), use_udp=True)
        error = np.abs(self.predict(theirs, golden)[0] - golden['keypoints'])
        assert error.mean() > 0.1 and error.max() > 0.3


class TestUnbiasedTopdownAffine:
    def test_pixels_to_pixels(self):
        # 200 pixels by 150 become, without padding, 200 by 266.67: spans of 199 and 199 * 255 / 191
        transform = UnbiasedTopdownAffine((W, H))
        results = transform(GetBBoxCenterScale(padding=1.0)(sample((100, 80, 200, 150))))
        assert results['input_size'] == (W, H)
        np.testing.assert_allclose(results['input_center'], (100 + 199 / 2, 80 + 149 / 2))
        np.testing.assert_allclose(results['input_scale'], (199, 199 * 255 / 191), rtol=1e-6)

    def test_tall_boxes_are_widened(self):
        results = UnbiasedTopdownAffine((W, H))(GetBBoxCenterScale(padding=1.0)(sample((10, 20, 60, 200))))
        np.testing.assert_allclose(results['input_scale'], (149, 149 * 255 / 191), rtol=1e-6)

    def test_the_smallest_box(self):
        results = UnbiasedTopdownAffine((W, H))(GetBBoxCenterScale(padding=1.0)(sample((10, 20, 0.5, 0.5))))
        np.testing.assert_allclose(results['input_scale'], (1, 255 / 191), rtol=1e-6)

    def test_outer_pixels_land_on_outer_pixels(self):
        corners = np.array([[[100.0, 80], [291, 335], [195.5, 207.5]]])
        results = UnbiasedTopdownAffine((W, H))(GetBBoxCenterScale(1.0)(sample((100, 80, 192, 256), keypoints=corners)))
        np.testing.assert_allclose(results['transformed_keypoints'][0], [[0, 0], [191, 255], [95.5, 127.5]], atol=1e-3)

    def test_a_box_of_the_inputs_size_is_cut_out(self):
        image = np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8)
        results = UnbiasedTopdownAffine((W, H))(GetBBoxCenterScale(1.0)(sample((100, 80, W, H), image)))
        np.testing.assert_array_equal(results['img'], image[80 : 80 + H, 100 : 100 + W])

    @pytest.mark.parametrize('degrees', [0, 30, -75, 90])
    def test_image_and_keypoints_move_together(self, degrees):
        points = np.array([[[180.0, 150], [240, 220], [210, 260]]])
        image = np.zeros((480, 640, 3), np.uint8)
        for x, y in points[0].astype(int):
            cv2.circle(image, (x, y), 9, (255, 255, 255), -1)
        results = GetBBoxCenterScale(1.25)(sample((120, 100, 180, 200), image, points))
        results['bbox_rotation'] = np.array([float(degrees)])
        results = UnbiasedTopdownAffine((W, H))(results)
        _, _, _, centroids = cv2.connectedComponentsWithStats((results['img'][..., 0] > 127).astype(np.uint8))
        moved = results['transformed_keypoints'][0]
        assert len(centroids) == 4
        for point in moved:
            assert np.linalg.norm(centroids[1:] - point, axis=1).min() < 0.2

    def test_a_mirrored_image_gives_the_mirrored_crop(self):
        image = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
        image = cv2.resize(image, (640, 480), interpolation=cv2.INTER_CUBIC)
        points = np.array([[[200.0, 150], [230, 180], [260, 210]]])
        plain = GetBBoxCenterScale(1.25)(sample((150, 100, 140, 200), image, points.copy()))
        mirrored = RandomFlip(prob=1.0)(GetBBoxCenterScale(1.25)(sample((150, 100, 140, 200), image, points.copy())))
        plain, mirrored = (UnbiasedTopdownAffine((W, H))(results) for results in (plain, mirrored))
        expected = (W - 1 - plain['transformed_keypoints'][0, :, 0])[FLIP]
        np.testing.assert_allclose(mirrored['transformed_keypoints'][0, :, 0], expected, atol=1e-3)
        np.testing.assert_allclose(mirrored['img'], plain['img'][:, ::-1], atol=3)

    def test_what_came_in_stays(self):
        results = GetBBoxCenterScale(1.25)(sample((120, 100, 180, 200)))
        center, keypoints = results['bbox_center'], results['keypoints']
        before = center.copy(), keypoints.copy()
        UnbiasedTopdownAffine((W, H))(results)
        np.testing.assert_array_equal(center, before[0])
        np.testing.assert_array_equal(keypoints, before[1])


@pytest.fixture(scope='module')
def drawn():
    """Offsets, factors and degrees of 40000 boxes."""
    np.random.seed(0)
    transform = ClippedRandomBBoxTransform(0.35, 45.0, 0.6)
    return transform._get_transform_params(40000)


class TestClippedRandomBBoxTransform:
    def test_boxes_are_not_shifted(self, drawn):
        assert drawn[0].shape == (40000, 2) and not drawn[0].any()

    def test_scale(self, drawn):
        factor = drawn[1][:, 0]
        assert factor.min() == pytest.approx(0.65) and factor.max() == pytest.approx(1.35)
        assert factor.mean() == pytest.approx(1, abs=0.005)
        clipped = np.isclose(np.abs(factor - 1), 0.35)
        assert clipped.mean() == pytest.approx(0.3173, abs=0.01)  # of a normal, beyond one deviation
        inside = np.abs(factor - 1) < 0.175
        assert inside.mean() == pytest.approx(0.3829, abs=0.01)  # within half of one

    def test_rotation(self, drawn):
        degrees = drawn[2]
        assert np.abs(degrees).max() == pytest.approx(90)
        assert (degrees != 0).mean() == pytest.approx(0.6, abs=0.01)
        turned = degrees[degrees != 0]
        assert turned.mean() == pytest.approx(0, abs=1)
        assert (np.abs(turned) < 45).mean() == pytest.approx(0.6827, abs=0.01)
        assert np.isclose(np.abs(turned), 90).mean() == pytest.approx(0.0455, abs=0.005)

    def test_scale_and_rotation_are_independent(self, drawn):
        turned = drawn[2] != 0
        assert abs(np.corrcoef(drawn[1][turned, 0], drawn[2][turned])[0, 1]) < 0.02

    def test_what_a_sample_gets(self):
        transform = ClippedRandomBBoxTransform(0.2, 15.0, 1.0)
        results = GetBBoxCenterScale(1.25)(sample((120, 100, 180, 200)))
        before = {key: value.copy() for key, value in results.items() if key.startswith('bbox_')}
        results = transform(results)
        np.testing.assert_array_equal(results['bbox_center'], before['bbox_center'])
        factor = results['bbox_scale'] / before['bbox_scale']
        assert factor[0, 0] == pytest.approx(factor[0, 1]) and 0.01 < abs(factor[0, 0] - 1) < 0.2001
        assert results['bbox_rotation'].shape == (1,) and 0 < abs(results['bbox_rotation'][0]) <= 30

    def test_seeds_decide(self):
        draws, transform = [], ClippedRandomBBoxTransform()
        for seed in (1, 1, 2):
            np.random.seed(seed)
            draws.append(transform._get_transform_params(5)[1].tolist())
        assert draws[0] == draws[1] != draws[2]

    def test_mmposes_distribution_is_another(self):
        from mmpose.datasets.transforms import RandomBBoxTransform

        transform = RandomBBoxTransform(shift_prob=0, scale_factor=(0.65, 1.35), rotate_factor=90, rotate_prob=0.6)
        factor = transform._get_transform_params(4000)[1]
        assert not np.isclose(np.abs(factor - 1), 0.35).any()  # cut, not clipped

    @pytest.mark.parametrize('variant', ['r-a3', 'h-a6'])
    def test_the_papers_configs_use_the_papers_values(self, variant):
        steps = Config.fromfile(config_path(variant)).train_dataloader.dataset.pipeline
        step = next(step for step in steps if step['type'] == 'ClippedRandomBBoxTransform')
        assert (step['scale_std'], step['rotate_std'], step['rotate_prob']) == (0.35, 45.0, 0.6)
        defaults = ClippedRandomBBoxTransform()
        assert (defaults.scale_std, defaults.rotate_std, defaults.rotate_prob) == (0.35, 45.0, 0.6)
