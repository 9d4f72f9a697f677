"""Batches of tensors."""

import pickle

import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmengine.registry import FUNCTIONS
from mmpose.datasets.transforms import PackPoseInputs
from torch.utils.data import DataLoader

from mmtranspose.datasets.collate import tensor_collate
from mmtranspose.errors import InputError

K = 5


def sample(seed, size=(16, 12), without=(), **more):
    rng = np.random.default_rng(seed)
    results = dict(
        id=seed,
        img=rng.integers(0, 256, (*size, 3), dtype=np.uint8),
        keypoint_labels=rng.uniform(0, 12, (1, K, 2)).astype(np.float32),
        keypoint_weights=rng.integers(0, 2, (1, K)).astype(np.float32),
        heatmaps=rng.random((K, 4, 3)).astype(np.float32),
    )
    results.update(more)
    return PackPoseInputs()({key: value for key, value in results.items() if key not in without})


def test_values_are_the_samples():
    samples = [sample(seed) for seed in range(3)]
    batch = tensor_collate(samples)
    assert batch['inputs'].shape == (3, 3, 16, 12) and batch['inputs'].dtype == torch.uint8
    shapes = {name: tuple(value.shape) for name, value in batch['data_samples'].items()}
    assert shapes == dict(keypoint_labels=(3, K, 2), keypoint_weights=(3, K), heatmaps=(3, K, 4, 3))
    for index, one in enumerate(samples):
        of_batch = {name: value[index] for name, value in batch['data_samples'].items()}
        torch.testing.assert_close(batch['inputs'][index], one['inputs'], rtol=0, atol=0)
        labels = one['data_samples'].gt_instance_labels
        torch.testing.assert_close(of_batch['keypoint_labels'], labels.keypoint_labels[0], rtol=0, atol=0)
        torch.testing.assert_close(of_batch['keypoint_weights'], labels.keypoint_weights[0], rtol=0, atol=0)
        torch.testing.assert_close(of_batch['heatmaps'], one['data_samples'].gt_fields.heatmaps, rtol=0, atol=0)


def test_keypoints_or_heatmaps_are_enough():
    assert set(tensor_collate([sample(0, without=['heatmaps'])])['data_samples']) == {
        'keypoint_labels',
        'keypoint_weights',
    }
    assert set(tensor_collate([sample(0, without=['keypoint_labels'])])['data_samples']) == {
        'heatmaps',
        'keypoint_weights',
    }


def test_samples_are_kept_for_evaluation():
    samples = [sample(seed, without=['keypoint_labels', 'keypoint_weights', 'heatmaps']) for seed in range(2)]
    batch = tensor_collate(samples, keep_samples=True)
    assert batch['inputs'].shape == (2, 3, 16, 12)
    assert all(kept is one['data_samples'] for kept, one in zip(batch['data_samples'], samples, strict=True))


def test_a_batch_is_a_few_tensors():
    samples = [sample(seed, size=(256, 192), without=['heatmaps']) for seed in range(8)]
    images = 8 * 3 * 256 * 192
    ours, theirs = (len(pickle.dumps(collate(samples))) - images for collate in (tensor_collate, pseudo_collate))
    assert ours < 3000 < theirs


def test_through_workers():
    samples = [sample(seed) for seed in range(4)]
    loader = DataLoader(samples, batch_size=2, num_workers=1, collate_fn=tensor_collate)
    for found, expected in zip(loader, (samples[:2], samples[2:]), strict=True):
        expected = tensor_collate(expected)
        torch.testing.assert_close(found['inputs'], expected['inputs'], rtol=0, atol=0)
        assert found['inputs'].is_shared()
        torch.testing.assert_close(found['data_samples'], expected['data_samples'], rtol=0, atol=0)


def test_configs_find_it():
    assert FUNCTIONS.get('tensor_collate') is tensor_collate


@pytest.mark.parametrize(
    ('second', 'words'),
    [
        (dict(size=(16, 8)), r'inputs differs .*\(3, 16, 12\) uint8, \(3, 16, 8\) uint8'),
        (dict(without=['heatmaps']), 'heatmaps is in some samples of the batch and missing in others'),
        (dict(without=['keypoint_weights']), 'keypoint_weights is in some samples'),
        (dict(keypoint_weights=np.ones((1, K))), 'keypoint_weights differs .*float32.*float64'),
        (dict(heatmaps=np.zeros((K, 4, 4), np.float32)), 'heatmaps differs'),
        (
            dict(keypoint_labels=np.zeros((2, K, 2), np.float32), keypoint_weights=np.zeros((2, K), np.float32)),
            'keypoint_labels of 2 people',
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else '',
)
def test_samples_that_differ(second, words):
    with pytest.raises(InputError, match=words):
        tensor_collate([sample(0), sample(1, **second)])


@pytest.mark.parametrize(
    ('without', 'words'),
    [
        (['keypoint_labels', 'keypoint_weights', 'heatmaps'], 'the samples hold no targets'),
        (['keypoint_weights'], 'the samples hold keypoint_labels and heatmaps, but .* needs keypoint_weights'),
        (['keypoint_labels', 'heatmaps'], 'needs keypoint_weights and keypoint_labels or heatmaps: put KeypointTarget'),
    ],
)
def test_nothing_to_learn_from(without, words):
    with pytest.raises(InputError, match=words):
        tensor_collate([sample(0, without=without)])


def test_no_samples():
    with pytest.raises(InputError, match='at least one sample'):
        tensor_collate([])
