"""An accelerated model computes what the plain one does: every variant, every switch."""

import copy
import warnings

import numpy as np
import pytest
import torch
from mmpose.registry import KEYPOINT_CODECS
from tiny import tiny_transpose
from torch import nn
from variants import VARIANTS, plain_heatmaps, random_images, randomised, range_error, variant

from mmtranspose.acceleration import accelerate
from mmtranspose.acceleration import options as precision
from mmtranspose.crops.crop_maker import prepare_crops

OFF = dict(fold_batch_norm=False, channels_last=False, fuse_encoder=False, flip_in_one_pass=False)
SWITCHED = {
    'nothing': OFF,
    'fold_batch_norm': {**OFF, 'fold_batch_norm': True},
    'channels_last': {**OFF, 'channels_last': True},
    'fuse_encoder': {**OFF, 'fuse_encoder': True},
    'everything': {},
}


@pytest.fixture
def any_dtype(monkeypatch):
    """Half precision, emulated where this processor has none."""
    monkeypatch.setattr(precision, 'is_native', lambda name, device: True)


@pytest.mark.parametrize('switched', SWITCHED)
@pytest.mark.parametrize('name', VARIANTS)
def test_heatmaps_in_fp32(name, switched):
    model, inputs = variant(name), random_images()
    expected = plain_heatmaps(model, inputs)
    found = accelerate(model, **SWITCHED[switched]).heatmaps(inputs)
    assert found.dtype == torch.float32 and found.is_contiguous() and not found.requires_grad
    assert expected.std() > 0.1
    assert range_error(found, expected) < 1e-5


@pytest.mark.parametrize('name', VARIANTS)
def test_heatmaps_in_bf16_are_as_near_as_the_plain_model_in_bf16(name, any_dtype):
    model, inputs = variant(name), random_images()
    expected = plain_heatmaps(model, inputs)
    plain = plain_heatmaps(copy.deepcopy(model).bfloat16(), inputs.bfloat16()).float()
    fast = accelerate(model, dtype='bf16')
    found = fast.heatmaps(inputs)
    assert found.dtype == torch.float32
    assert {value.dtype for value in fast.parameters()} == {torch.bfloat16}
    assert 1e-4 < range_error(found, expected) < 1.3 * range_error(plain, expected) < 0.03


def test_heatmaps_in_fp16(any_dtype):
    model, inputs = randomised(tiny_transpose(head=dict(deconv_out_channels=(8,)))).eval(), random_images()
    found = accelerate(model, dtype='fp16').heatmaps(inputs)
    assert 1e-6 < range_error(found, plain_heatmaps(model, inputs)) < 5e-3


def test_parts_work_on_their_own(any_dtype):
    model, inputs = variant('r-a3'), random_images()
    expected = plain_heatmaps(model, inputs)
    for dtype, tolerance in (('fp32', 1e-5), ('bf16', 0.02)):
        fast = accelerate(model, dtype=dtype)
        features = fast.extract_feat(inputs)
        assert features[-1].shape == (2, 256, 8, 6) and features[-1].dtype == fast.dtype
        heatmaps = fast.head.forward(features)
        assert heatmaps.dtype == torch.float32
        assert range_error(heatmaps, expected) < tolerance


def test_forward_of_tensors():
    model, inputs = variant('r-a3'), random_images()
    fast = accelerate(model)
    assert range_error(fast(inputs, None), plain_heatmaps(model, inputs)) < 1e-5
    assert range_error(fast(list(inputs), None, mode='tensor'), plain_heatmaps(model, inputs)) < 1e-5


def test_no_more_rounding_than_the_plain_model_with_extreme_batch_statistics():
    model = randomised(tiny_transpose(head=dict(deconv_out_channels=(8,)))).eval()
    for norm in (module for module in model.modules() if isinstance(module, nn.BatchNorm2d)):
        size = norm.num_features
        norm.running_var.copy_(10 ** torch.linspace(-8, 6, size))
        norm.running_mean.copy_(torch.linspace(-100, 100, size) * norm.running_var.sqrt())
    inputs = random_images()
    exact = plain_heatmaps(copy.deepcopy(model).double(), inputs.double())
    plain, fast = (
        range_error(plain_heatmaps(model, inputs), exact),
        range_error(accelerate(model).heatmaps(inputs), exact),
    )
    assert fast < 3 * plain + 1e-6 < 1e-3


def crops(model, people=2):
    image = np.random.default_rng(0).integers(0, 255, (60, 80, 3), dtype=np.uint8)
    return prepare_crops(model, image, np.array([[5, 5, 50, 55], [20, 10, 70, 58]], dtype=np.float32)[:people])


@pytest.fixture
def steady():
    """A model whose decoding, by quarters of a cell, does not multiply rounding as DARK does on noise."""
    model = copy.deepcopy(variant('r-a3'))
    model.head.decoder = KEYPOINT_CODECS.build(
        dict(type='MSRAHeatmap', input_size=(192, 256), heatmap_size=(48, 64), sigma=2.0)
    )
    return model


def test_poses_with_the_flip_test(steady):
    assert steady.test_cfg['flip_test']
    steady.test_cfg['output_heatmaps'] = True
    expected = steady.test_step(crops(steady))
    for in_one_pass, batches in ((True, [4]), (False, [2, 2])):
        fast, passes = accelerate(steady, flip_in_one_pass=in_one_pass), []
        fast.backbone.register_forward_hook(lambda module, args, output, passes=passes: passes.append(len(args[0])))
        found = fast.test_step(crops(steady))
        assert passes[1:] == batches  # the first pass finds out the token grid
        assert len(found) == len(expected) == 2
        for one, other in zip(found, expected):
            assert range_error(one.pred_fields.heatmaps, other.pred_fields.heatmaps) < 1e-5
            for key in ('keypoints', 'keypoint_scores', 'keypoints_visible', 'bboxes', 'bbox_scores'):
                np.testing.assert_allclose(one.pred_instances[key], other.pred_instances[key], rtol=1e-5, atol=1e-4)


def test_poses_without_the_flip_test_and_with_heatmaps(steady):
    model = steady
    model.test_cfg = dict(flip_test=False, output_heatmaps=True, output_keypoint_indices=[3, 1])
    (expected,), (found,) = model.val_step(crops(model, 1)), accelerate(model).val_step(crops(model, 1))
    np.testing.assert_allclose(found.pred_instances.keypoints, expected.pred_instances.keypoints, rtol=1e-5, atol=1e-4)
    assert found.pred_instances.keypoints.shape == (1, 2, 2)
    torch.testing.assert_close(found.pred_fields.heatmaps, expected.pred_fields.heatmaps, rtol=0, atol=1e-4)


def test_empty_batches():
    model = variant('r-a3')
    fast = accelerate(model)
    assert fast.heatmaps(random_images(0)).shape == (0, 17, 16, 12)
    assert fast.predict(random_images(0), []) == []


def test_nothing_is_warned_about():
    model = variant('h-s')
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        accelerate(model).heatmaps(random_images(1))
