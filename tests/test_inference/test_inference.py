"""Top-down inference: same numbers as MMPose's, boxes and images that cannot be used are named."""

import json

import cv2
import mmpose.apis
import numpy as np
import pytest
import torch
from conftest import SYNTHETIC_CONFIG
from mmengine.config import Config

from mmtranspose.apis import InputError, inference_topdown, init_model, load_bboxes
from mmtranspose.crops.boxes import whole_image
from mmtranspose.crops.crop_maker import prepare_crops

BOXES = [[20, 15, 120, 290], [100.5, 30.25, 230, 300], [-30, -20, 90, 200], [150, 200, 400, 500], [60, 60, 64, 70]]


@pytest.fixture(scope='module')
def model(tiny_config, tiny_checkpoint):
    model = init_model(tiny_config, tiny_checkpoint)
    torch.manual_seed(0)
    torch.nn.init.normal_(model.head.final_layer.weight)  # heatmaps that differ between boxes
    model.test_cfg['output_heatmaps'] = True
    return model


@pytest.fixture(scope='module')
def path(people):
    return str(people / 'val' / '000000000001.jpg')


@pytest.fixture(scope='module')
def image(path):
    return cv2.imread(path)


def poses(samples):
    """Keypoints and scores of each sample, (N, K, 3)."""
    found = [sample.pred_instances for sample in samples]
    return np.concatenate([np.dstack([one.keypoints, one.keypoint_scores]) for one in found])


def heatmaps(samples):
    """(N, K, H, W)"""
    return np.stack([sample.pred_fields.heatmaps.numpy() for sample in samples])


def assert_same(found, expected):
    """The same boxes, heatmaps and poses, up to rounding (which refining flat peaks magnifies: hence the median)."""
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours.pred_instances.bboxes, theirs.pred_instances.bboxes)
    np.testing.assert_allclose(heatmaps(found), heatmaps(expected), rtol=1e-3, atol=1e-3)
    assert np.median(np.abs(poses(found) - poses(expected))) < 1e-3


class TestInitModel:
    def test_ready_for_use(self, model, tiny_config):
        assert not model.training and next(model.parameters()).device.type == 'cpu'
        assert model.dataset_meta['dataset_name'] == 'coco'
        assert model.cfg.filename == tiny_config

    def test_config_object_and_options(self, tiny_config):
        model = init_model(Config.fromfile(tiny_config))
        assert len(model.neck.encoder.layers) == 2
        model = init_model(tiny_config, cfg_options={'model.neck.num_layers': 1})
        assert len(model.neck.encoder.layers) == 1

    def test_same_weights_as_mmpose_loads(self, tiny_config, tiny_checkpoint):
        theirs = mmpose.apis.init_model(tiny_config, tiny_checkpoint, device='cpu').state_dict()
        ours = init_model(tiny_config, tiny_checkpoint).state_dict()
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)

    @pytest.mark.parametrize(
        ('options', 'words'),
        [
            ({'model.backbone.depth': 19}, 'ResNetSmall: depth 19 is unknown'),
            ({'model.backbone.num_stages': 7}, 'num_stages 7'),
            ({'model.backbone': dict(_delete_=True, type='HRNetSmall', arch='w40')}, "arch 'w40' is unknown.*w32.*w48"),
            ({'model.neck.num_heads': 5}, 'num_heads.*5.*embed_dims.*32|embed_dims.*32.*num_heads.*5'),
            ({'model.neck.position_encoding': 'cosine'}, 'cosine'),
            ({'model.neck.type': 'TransPoseNek'}, 'TransPoseNek'),
            ({'model.neck.layers': 3}, 'layers'),
            ({'model.head.decoder.type': 'Unbiassed'}, 'Unbiassed'),
            ({'model.type': 'TopDown'}, 'TopDown'),
        ],
        ids=lambda value: next(iter(value)) if isinstance(value, dict) else '',
    )
    def test_unknown_variants(self, tiny_config, options, words):
        with pytest.raises(InputError, match=f'(?s){tiny_config}: the model cannot be built: .*({words})'):
            init_model(tiny_config, cfg_options=options)

    @pytest.mark.parametrize('device', ['cuda:0', 'cuda', 'gpu', 'cpu:x'])
    def test_devices_that_are_not_there(self, tiny_config, device):
        if device.startswith('cuda') and torch.cuda.is_available():
            pytest.skip('this machine has it')
        with pytest.raises(InputError, match=f'device {device} '):
            init_model(tiny_config, device=device)

    def test_the_checkpoint_is_read_first(self, tmp_path):
        with pytest.raises(InputError, match='checkpoint .*none.pth does not exist'):
            init_model(str(SYNTHETIC_CONFIG), str(tmp_path / 'none.pth'))


class TestLoadBboxes:
    @pytest.fixture
    def load(self, tmp_path):
        def load(content):
            path = tmp_path / 'boxes.json'
            path.write_text(content if isinstance(content, str) else json.dumps(content))
            return load_bboxes(str(path))

        return load

    @pytest.mark.parametrize(
        ('entry', 'box'),
        [
            ([1, 2, 30, 40.5], [1, 2, 30, 40.5, 1]),
            ([1, 2, 30, 40.5, 0.25], [1, 2, 30, 40.5, 0.25]),
            ({'bbox': [1, 2, 30, 40.5]}, [1, 2, 31, 42.5, 1]),
            ({'bbox': [1, 2, 30, 40], 'score': 0.5, 'image_id': 7, 'category_id': 1}, [1, 2, 31, 42, 0.5]),
            ([-10, -20, 5, 6], [-10, -20, 5, 6, 1]),
        ],
    )
    def test_forms(self, load, entry, box):
        boxes = load([entry, [0, 0, 1, 1, 0]])
        assert boxes.dtype == np.float32
        assert boxes.tolist() == [box, [0, 0, 1, 1, 0]]

    def test_none_at_all(self, load):
        assert load([]).shape == (0, 5)

    @pytest.mark.parametrize(
        ('entry', 'reason'),
        [
            ([1, 2, 3], 'is not a box'),
            ([1, 2, 3, 4, 5, 6], 'is not a box'),
            ([], 'is not a box'),
            (3, 'is not a box'),
            (None, 'is not a box'),
            ('1258', 'is not a box'),
            ({'box': [1, 2, 3, 4]}, 'is not a box'),
            ({'bbox': [1, 2, 3]}, 'is not a box'),
            ({'bbox': [1, 2, 3, 4], 'score': 'high'}, 'is not a box'),
            ([1, 2, 'wide', 4], 'is not a box'),
            ([10**400, 0, 10**400, 3], 'is not'),
            ([1, 2, float('nan'), 4], 'not finite'),
            ([1, 2, 3, float('inf')], 'not finite'),
            ([1, 2, 3, 4, float('nan')], 'not finite'),
            ([5, 2, 5, 4], 'no positive width and height'),
            ([1, 4, 3, 4], 'no positive width and height'),
            ([5, 2, 1, 4], 'no positive width and height'),
            ({'bbox': [5, 2, 0, 4]}, 'no positive width and height'),
            ({'bbox': [5, 2, 3, -4]}, 'no positive width and height'),
        ],
        ids=lambda value: str(value)[:30],
    )
    def test_bad_boxes(self, load, tmp_path, entry, reason):
        with pytest.raises(InputError, match=f'box file {tmp_path / "boxes.json"}, entry 1: .*{reason}'):
            load([[0, 0, 1, 1], entry])

    @pytest.mark.parametrize(
        ('content', 'words'), [('{}', 'must hold a list of boxes, not a dict'), ('[[1,', 'is not JSON')]
    )
    def test_bad_files(self, load, tmp_path, content, words):
        with pytest.raises(InputError, match=f'box file {tmp_path / "boxes.json"} {words}'):
            load(content)

    def test_missing_file(self, tmp_path):
        with pytest.raises(InputError, match=f'box file {tmp_path / "none.json"} does not exist'):
            load_bboxes(str(tmp_path / 'none.json'))


def test_whole_image():
    assert whole_image(np.zeros((5, 7, 3), np.uint8)).tolist() == [[0, 0, 7, 5, 1]]


class TestInferenceTopdown:
    def test_agrees_with_mmpose(self, model, image):
        boxes = np.array(BOXES, np.float32)
        ours, theirs = inference_topdown(model, image, boxes), mmpose.apis.inference_topdown(model, image, boxes)
        np.testing.assert_allclose(poses(ours), poses(theirs), rtol=1e-5)
        for sample, box in zip(ours, boxes):
            np.testing.assert_array_equal(sample.pred_instances.bboxes, box[None])

    def test_file_list_and_scores(self, model, path, image):
        scored = np.column_stack([BOXES, [0.9, 0.1, 0.5, 0.3, 0.2]])
        from_file, from_array = inference_topdown(model, path, scored.tolist()), inference_topdown(model, image, BOXES)
        np.testing.assert_array_equal(poses(from_file), poses(from_array))
        found = [float(sample.pred_instances.bbox_scores[0]) for sample in from_file]
        assert found == pytest.approx([0.9, 0.1, 0.5, 0.3, 0.2])
        assert all(sample.pred_instances.bbox_scores == 1 for sample in from_array)

    @pytest.mark.parametrize('batch_size', [1, 2, 8])
    def test_batches_do_not_matter(self, model, image, batch_size):
        assert_same(inference_topdown(model, image, BOXES, batch_size), inference_topdown(model, image, BOXES))

    def test_order_does_not_matter(self, model, image):
        order = [3, 0, 4, 2, 1]
        expected = inference_topdown(model, image, BOXES)
        assert_same(inference_topdown(model, image, [BOXES[i] for i in order]), [expected[i] for i in order])
        differences = np.diff(heatmaps(expected), axis=0)
        assert np.abs(differences).max(axis=(1, 2, 3)).min() > 0.1  # else the order could not be seen

    def test_a_moved_image_moves_the_poses(self, model, image):
        moved = cv2.copyMakeBorder(image, 40, 0, 60, 0, cv2.BORDER_CONSTANT)
        box, shift = np.array(BOXES[:1], np.float32), np.array([60, 40, 60, 40], np.float32)
        found, expected = inference_topdown(model, moved, box + shift), inference_topdown(model, image, box)
        np.testing.assert_allclose(heatmaps(found), heatmaps(expected), rtol=1e-2, atol=1e-2)
        assert np.median(np.abs(poses(found) - [60, 40, 0] - poses(expected))) < 0.05

    @pytest.mark.parametrize('none', [[], np.zeros((0, 4)), np.zeros((0, 5), np.float32)], ids=['list', '0x4', '0x5'])
    def test_no_box_is_no_pose(self, model, image, none):
        assert inference_topdown(model, image, none) == []

    @pytest.mark.parametrize(
        ('box', 'reason'),
        [
            ([1, 2, np.nan, 4], 'is not finite or has no positive width'),
            ([1, 2, 3, np.inf], 'is not finite or has no positive width'),
            ([5, 2, 5, 9], 'is not finite or has no positive width'),
            ([5, 9, 8, 2], 'is not finite or has no positive width'),
            ([240, 5, 250, 60], 'lies outside the image of 240 x 320 pixels'),
            ([5, 320, 60, 330], 'lies outside the image of 240 x 320 pixels'),
            ([-50, 5, 0, 60], 'lies outside the image'),
            ([5, -50, 60, 0], 'lies outside the image'),
        ],
    )
    def test_bad_boxes(self, model, image, box, reason):
        assert image.shape == (320, 240, 3)
        with pytest.raises(InputError, match=f'box 1 .*{reason}'):
            inference_topdown(model, image, [[1, 2, 30, 40], box])

    def test_boxes_that_touch_the_image_are_fine(self, model, image):
        boxes = [[239, 5, 300, 60], [5, 319, 60, 400], [-50, 5, 1, 60], [5, -50, 60, 1]]
        assert np.isfinite(poses(inference_topdown(model, image, boxes))).all()

    @pytest.mark.parametrize('boxes', [[1, 2, 30, 40], [[1, 2, 30]], np.ones((1, 2, 4))], ids=['flat', '1x3', '1x2x4'])
    def test_bad_shapes(self, model, image, boxes):
        with pytest.raises(InputError, match=r'bboxes must have shape \(N, 4\) or \(N, 5\), not '):
            inference_topdown(model, image, boxes)

    def test_missing_image(self, model, tmp_path):
        with pytest.raises(InputError, match='image .*none.jpg does not exist'):
            inference_topdown(model, str(tmp_path / 'none.jpg'), BOXES)


def test_crops_are_the_images_pixels(model):
    # a box with the input's aspect, so large that each input pixel is one image pixel: (48 - 1) / 1.25 + ... wide
    image = np.random.default_rng(1).integers(0, 256, (80, 70, 3), dtype=np.uint8)
    width, height = 48 / 1.25, 64 / 1.25
    left, top = 10 + (48 - width) / 2, 8 + (64 - height) / 2
    batch = prepare_crops(model, image, np.array([[left, top, left + width, top + height]], np.float32))
    np.testing.assert_allclose(batch['inputs'][0].permute(1, 2, 0), image[8 : 8 + 64, 10 : 10 + 48], atol=1)
