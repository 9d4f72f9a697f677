"""Poses in given boxes: the same numbers as MMPose's; boxes and images that cannot be used are named."""

from pathlib import Path

import cv2
import mmpose.apis
import numpy as np
import pytest
import torch

from mmtranspose.apis import InputError, TopdownPipeline, explain_topdown, inference_topdown, init_model

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


class TestInferenceTopdown:
    def test_agrees_with_mmpose(self, model, image):
        boxes = np.array(BOXES, np.float32)
        ours, theirs = inference_topdown(model, image, boxes), mmpose.apis.inference_topdown(model, image, boxes)
        np.testing.assert_allclose(poses(ours), poses(theirs), rtol=1e-5)
        for sample, box in zip(ours, boxes):
            np.testing.assert_array_equal(sample.pred_instances.bboxes, box[None])

    def test_format_as_mmposes(self, model, image):
        boxes = np.array([[20, 15, 120, 290], [100.5, 30.25, 130, 270]], np.float32)
        ours = inference_topdown(model, image, boxes, 'xywh')
        theirs = mmpose.apis.inference_topdown(model, image, boxes.copy(), 'xywh')
        np.testing.assert_allclose(poses(ours), poses(theirs), rtol=1e-5)
        assert ours[0].pred_instances.bboxes.tolist() == [[20, 15, 140, 305]]
        assert boxes.tolist() == [[20, 15, 120, 290], [100.5, 30.25, 130, 270]]  # left as they are
        with pytest.raises(InputError, match="bbox_format='cxcywh' is unknown; choose 'xyxy' or 'xywh'"):
            inference_topdown(model, image, boxes, 'cxcywh')

    def test_without_boxes_the_whole_image_as_mmposes(self, model, image):
        ours, theirs = inference_topdown(model, image), mmpose.apis.inference_topdown(model, image)
        np.testing.assert_allclose(poses(ours), poses(theirs), rtol=1e-5)
        assert ours[0].pred_instances.bboxes.tolist() == [[0, 0, 240, 320]]
        np.testing.assert_array_equal(poses(inference_topdown(model, image, None, 'xywh')), poses(ours))

    @pytest.mark.parametrize('kind', ['path', 'text', 'grey', 'grey with an axis', 'bgra'])
    def test_kinds_of_images(self, model, path, image, kind):
        grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        given, same = {
            'path': (Path(path), image),
            'text': (path, image),
            'grey': (grey, np.dstack([grey] * 3)),
            'grey with an axis': (grey[..., None], np.dstack([grey] * 3)),
            'bgra': (np.dstack([image, grey]), image),
        }[kind]
        expected = poses(inference_topdown(model, same, BOXES))
        np.testing.assert_array_equal(poses(inference_topdown(model, given, BOXES)), expected)
        explained = explain_topdown(model, given, BOXES[:1], bbox_format='xyxy')
        np.testing.assert_array_equal(explained[0].keypoints, explain_topdown(model, same, BOXES[:1])[0].keypoints)

    @pytest.mark.parametrize(
        'change',
        [
            lambda image: image.astype(np.uint16) * 257,
            lambda image: image / 255,
            lambda image: image > 127,
            lambda image: image.transpose(2, 0, 1),
            lambda image: image[:0],
            lambda image: image[..., :2],
            lambda image: image.tolist(),
        ],
        ids=['uint16', 'float', 'bool', 'channels first', 'empty', 'two channels', 'list'],
    )
    def test_what_gave_nonsense_is_refused_in_the_same_words(self, model, image, change):
        said = set()
        for call in (inference_topdown, explain_topdown):
            with pytest.raises(InputError, match='^the image ') as error:
                call(model, change(image), BOXES)
            said.add(str(error.value))
        if not isinstance(change(image), list):  # of inputs
            with pytest.raises(InputError) as error:
                TopdownPipeline(model, BOXES)(change(image))
            said.add(str(error.value))
        assert len(said) == 1

    @pytest.mark.parametrize(
        'boxes', [[[1, 2, 3, 4], [1, 2]], [['a', 2, 3, 4]], [dict(bbox=[1, 2, 3, 4])], [[1 + 2j] * 4]]
    )
    def test_boxes_that_are_no_numbers_are_refused_in_the_same_words(self, model, image, boxes):
        said = set()
        for call in (inference_topdown, explain_topdown, lambda model, _, boxes: TopdownPipeline(model, boxes)):
            with pytest.raises(InputError, match=r'bboxes must be numbers of shape \(N, 4\) or \(N, 5\)') as error:
                call(model, image, boxes)
            said.add(str(error.value))
        assert len(said) == 1

    def test_tensors(self, model, image):
        boxes = torch.tensor(BOXES, requires_grad=True)
        found = inference_topdown(model, image, boxes)
        np.testing.assert_array_equal(poses(found), poses(inference_topdown(model, image, BOXES)))

    def test_batch_size(self, model, image):
        with pytest.raises(InputError, match='batch_size=0 must be at least 1'):
            inference_topdown(model, image, BOXES, batch_size=0)

    def test_file_list_and_scores(self, model, path, image):
        scored = np.column_stack([BOXES, [0.9, 0.1, 0.5, 0.3, 0.2]])
        from_file, from_array = inference_topdown(model, path, scored.tolist()), inference_topdown(model, image, BOXES)
        np.testing.assert_array_equal(poses(from_file), poses(from_array))
        found = [float(sample.pred_instances.bbox_scores[0]) for sample in from_file]
        assert found == pytest.approx([0.9, 0.1, 0.5, 0.3, 0.2])
        assert all(sample.pred_instances.bbox_scores == 1 for sample in from_array)

    @pytest.mark.parametrize('batch_size', [1, 2, 8])
    def test_batches_do_not_matter(self, model, image, batch_size):
        assert_same(
            inference_topdown(model, image, BOXES, batch_size=batch_size), inference_topdown(model, image, BOXES)
        )

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
            ([-1e30, -1e30, 1e30, 1e30], 'is more than 100 times as large as the image of 240 x 320 pixels'),
            ([1, 1, 32002, 9], 'is more than 100 times as large'),
            ([0, 0, 1e300, 5], 'is not finite'),
            (
                [0.1, 0.2, 0.5, 0.9],
                'lies within the first pixel of 240 x 320: boxes are expected in pixels, not relative',
            ),
            ([0, 0, 1e-40, 1e-40], 'lies within the first pixel'),
            ([30, 30, 30.0005, 60], 'is narrower or lower than 0.001 pixels'),
            ([-50, 5, 0, 60], 'lies outside the image'),
            ([5, -50, 60, 0], 'lies outside the image'),
        ],
    )
    def test_bad_boxes(self, model, image, box, reason):
        assert image.shape == (320, 240, 3)
        with pytest.raises(InputError, match=f'box 1 .*{reason}'):
            inference_topdown(model, image, [[1, 2, 30, 40], box])

    def test_boxes_that_touch_the_image_are_fine(self, model, image):
        boxes = [
            [0.5, 0.5, 1.5, 1.5],
            [7, 7, 7.01, 7.01],
            [-9e3, -9e3, 2e4, 2e4],
            [239, 5, 300, 60],
            [5, 319, 60, 400],
            [-50, 5, 1, 60],
            [5, -50, 60, 1],
        ]
        assert np.isfinite(poses(inference_topdown(model, image, boxes))).all()

    @pytest.mark.parametrize('boxes', [[1, 2, 30, 40], [[1, 2, 30]], np.ones((1, 2, 4))], ids=['flat', '1x3', '1x2x4'])
    def test_bad_shapes(self, model, image, boxes):
        with pytest.raises(InputError, match=r'bboxes must have shape \(N, 4\) or \(N, 5\), not '):
            inference_topdown(model, image, boxes)

    def test_missing_image(self, model, tmp_path):
        with pytest.raises(InputError, match='image .*none.jpg does not exist'):
            inference_topdown(model, str(tmp_path / 'none.jpg'), BOXES)
