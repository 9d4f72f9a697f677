"""What a predicted joint rests on: the right crop, the right places, the right maps."""

import cv2
import numpy as np
import pytest
import torch

from mmtranspose.apis import InputError, init_model
from mmtranspose.apis.explanation import joint_dependency
from mmtranspose.apis.inference import prepare_crops
from mmtranspose.explain import attention_maps

BOX = np.array([30, 20, 180, 300], np.float32)


@pytest.fixture(scope='module')
def model(tiny_config, tiny_checkpoint):
    model = init_model(tiny_config, tiny_checkpoint)
    torch.manual_seed(3)
    for parameter in model.neck.encoder.parameters():
        parameter.data += 0.2 * torch.randn_like(parameter)  # attention that is far from even
    return model


@pytest.fixture(scope='module')
def image(people):
    return cv2.imread(str(people / 'val' / '000000000001.jpg'))


@pytest.fixture(scope='module')
def explained(model, image):
    return joint_dependency(model, image, BOX)


def test_crop_is_what_the_network_saw(model, image, explained):
    crop = prepare_crops(model, image, BOX[None])['inputs'][0]
    assert explained.crop.dtype == np.uint8 and explained.crop.shape == (64, 48, 3)
    np.testing.assert_array_equal(explained.crop, crop.permute(1, 2, 0).numpy())


def test_points_and_scores_are_the_heatmaps_peaks(model, image, explained):
    crop = torch.from_numpy(explained.crop[..., ::-1].copy()).permute(2, 0, 1).float()
    mean, std = (torch.tensor(v)[:, None, None] for v in ([123.675, 116.28, 103.53], [58.395, 57.12, 57.375]))
    with torch.no_grad():
        heatmaps = model.head(model.extract_feat(((crop - mean) / std)[None]))[0].numpy()
    for k, heatmap in enumerate(heatmaps):
        row, col = np.unravel_index(heatmap.argmax(), heatmap.shape)
        assert explained.scores[k] == pytest.approx(heatmap.max(), abs=1e-6)
        # cell 0 to pixel 0, cell n - 1 to pixel m - 1
        assert explained.points[k] == pytest.approx([col * 47 / 11, row * 63 / 15])
    assert len(np.unique(explained.points, axis=0)) > 3


def test_maps_are_the_attention_at_the_peaks(model, image, explained):
    batch = prepare_crops(model, image, BOX[None])
    inputs = model.data_preprocessor(batch, training=False)['inputs']
    col, row = (explained.points * np.array([11 / 47, 15 / 63])).round().astype(
        int
    ).T // 2  # 2 x 2 heatmap cells a token
    cells = torch.from_numpy(np.stack([row, col], -1))[None]
    expected = attention_maps(model, inputs, cells)[:, 0].numpy()
    assert explained.maps.shape == (2, 17, 8, 6)
    np.testing.assert_allclose(explained.maps, expected, atol=1e-6)
    np.testing.assert_allclose(explained.maps.sum((-1, -2)), 1, atol=1e-5)
    assert explained.maps.max() > 2 / 48  # not even


def test_names(explained):
    assert explained.names[:2] == ['nose', 'left_eye'] and explained.names[16] == 'right_ankle'
    assert len(explained.names) == 17


def test_a_score_of_the_box_changes_nothing(model, image, explained):
    again = joint_dependency(model, image, np.append(BOX, 0.4))
    np.testing.assert_array_equal(again.maps, explained.maps)
    np.testing.assert_array_equal(again.points, explained.points)


@pytest.mark.parametrize('box', [[300, 20, 400, 60], [5, 5, 5, 9], [1, 2, np.nan, 5]])
def test_boxes_that_cannot_be_used(model, image, box):
    with pytest.raises(InputError, match='box 0 '):
        joint_dependency(model, image, np.array(box))


def test_nothing_is_left_behind(model, explained):
    assert not any(module._forward_pre_hooks for module in model.modules())
    assert not model.training
