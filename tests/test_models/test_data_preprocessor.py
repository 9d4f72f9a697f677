"""From batches to the network's input."""

import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmpose.datasets.transforms import PackPoseInputs
from mmpose.registry import MODELS
from torch import nn

from mmtranspose.datasets.collate import tensor_collate
from mmtranspose.errors import InputError

SETTINGS = dict(mean=[120.0, 110.0, 100.0], std=[60.0, 55.0, 50.0], bgr_to_rgb=True)


def build(kind='TransPoseDataPreprocessor', **more):
    return MODELS.build(dict(type=kind, **SETTINGS, **more))


def sample(seed, size=(16, 12)):
    rng = np.random.default_rng(seed)
    results = dict(
        id=seed,
        img=rng.integers(0, 256, (*size, 3), dtype=np.uint8),
        keypoint_labels=rng.random((1, 5, 2)).astype(np.float32),
        keypoint_weights=np.ones((1, 5), np.float32),
    )
    return PackPoseInputs()(results)


@MODELS.register_module()
class DoubledBatch(nn.Module):
    """An augmentation of MMPose's form."""

    def forward(self, inputs, data_samples):
        return 2 * inputs, data_samples


@pytest.mark.parametrize('size_divisor', [1, 32])
@pytest.mark.parametrize('form', ['tensors', 'stacked', 'list', 'list of several sizes'])
def test_values_are_mmposes(form, size_divisor):
    samples = [sample(0), sample(1, (20, 12) if form.endswith('sizes') else (16, 12))]
    collate = dict(tensors=tensor_collate, stacked=lambda s: tensor_collate(s, keep_samples=True))
    batch = collate.get(form, pseudo_collate)(samples)
    found = build(pad_size_divisor=size_divisor, non_blocking=True)(batch, training=True)
    expected = build('PoseDataPreprocessor', pad_size_divisor=size_divisor)(pseudo_collate(samples), training=True)
    torch.testing.assert_close(found['inputs'], expected['inputs'], rtol=0, atol=0)
    assert found['inputs'].dtype == torch.float32
    if form == 'tensors':
        torch.testing.assert_close(found['data_samples'], batch['data_samples'], rtol=0, atol=0)
    else:
        meta = [[one.metainfo for one in result['data_samples']] for result in (found, expected)]
        assert meta[0] == meta[1] and 'pad_shape' in meta[0][0]


@pytest.mark.parametrize('settings', [{}, dict(bgr_to_rgb=False), dict(bgr_to_rgb=False, rgb_to_bgr=True)], ids=str)
def test_order_of_channels(settings):
    kinds = ('TransPoseDataPreprocessor', 'PoseDataPreprocessor')
    batch = tensor_collate([sample(0)], keep_samples=True)
    found, expected = (MODELS.build(dict(SETTINGS, type=kind, **settings))(batch)['inputs'] for kind in kinds)
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_the_batch_stays_as_it_was():
    batch = tensor_collate([sample(0)])
    before = batch['inputs'].clone()
    build()(batch)
    torch.testing.assert_close(batch['inputs'], before, rtol=0, atol=0)


def test_everything_goes_to_the_device():
    found = build(non_blocking=True).to('meta')(tensor_collate([sample(0)]))
    assert found['inputs'].is_meta and all(value.is_meta for value in found['data_samples'].values())


@pytest.mark.parametrize('training', [True, False])
def test_augmentation_of_mmposes_samples(training):
    batch = pseudo_collate([sample(0), sample(1)])
    plain, augmented = build(), build(batch_augments=[dict(type='DoubledBatch')])
    factor = 2 if training else 1
    expected = factor * plain(batch, training)['inputs']
    torch.testing.assert_close(augmented(batch, training)['inputs'], expected)


def test_augmentation_needs_mmposes_samples():
    augmented, batch = build(batch_augments=[dict(type='DoubledBatch')]), tensor_collate([sample(0)])
    with pytest.raises(InputError, match='batch_augments .*collate_fn=dict'):
        augmented(batch, training=True)
    assert augmented(batch, training=False)['inputs'].shape == (1, 3, 16, 12)


@pytest.mark.parametrize('inputs', [[], torch.empty(0, 3, 16, 12, dtype=torch.uint8)], ids=['list', 'tensor'])
def test_an_empty_batch_is_named(inputs):
    with pytest.raises(InputError, match='the batch holds no image'):
        build()(dict(inputs=inputs, data_samples=[]))
