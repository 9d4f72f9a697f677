"""Keypoints as targets, against MMPose's heatmaps."""

import pickle

import numpy as np
import pytest
import torch
from mmengine.registry import init_default_scope
from mmpose.datasets.transforms import GenerateTarget, PackPoseInputs
from mmpose.registry import TRANSFORMS

from mmtranspose.codecs import UnbiasedHeatmap
from mmtranspose.datasets.transforms import KeypointTarget
from mmtranspose.errors import InputError

CODEC = dict(type='UnbiasedHeatmap', input_size=(192, 256), heatmap_size=(48, 64), sigma=2)
K = 17


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmpose')


def sample(**more):
    """A person of which some keypoints are hidden and some outside the crop."""
    keypoints = np.random.default_rng(1).uniform((-30, -30), (220, 290), (1, K, 2)).astype(np.float32)
    visible = (np.arange(K) % 4 > 0).astype(np.float32)[None]
    image = np.zeros((256, 192, 3), np.uint8)
    return dict(img=image, transformed_keypoints=keypoints, keypoints_visible=visible, **more)


def drawn(results):
    """Heatmaps and weights as the head draws them."""
    labels, weights = (torch.from_numpy(results[f'keypoint_{name}']) for name in ('labels', 'weights'))
    codec = UnbiasedHeatmap(**{key: value for key, value in CODEC.items() if key != 'type'})
    return (found.numpy() for found in codec.render(labels, weights))


@pytest.mark.parametrize('use', [False, True])
def test_what_the_head_draws_is_what_mmpose_would_have_drawn(use):
    weights = np.linspace(0.5, 1.5, K, dtype=np.float32)[None]
    ours, theirs = (sample(dataset_keypoint_weights=weights) for _ in range(2))
    ours = TRANSFORMS.build(dict(type='KeypointTarget', use_dataset_keypoint_weights=use))(ours)
    theirs = GenerateTarget(CODEC, use_dataset_keypoint_weights=use)(theirs)
    heatmaps, weights = drawn(ours)
    np.testing.assert_allclose(heatmaps[0], theirs['heatmaps'], atol=1e-6)
    np.testing.assert_allclose(weights, theirs['keypoint_weights'], rtol=1e-6)
    assert 0 < (weights > 0).sum() < K - 4  # some are hidden, some outside


def test_shapes_and_dtypes():
    results = sample()
    results['keypoints_visible'] = results['keypoints_visible'].astype(np.float64)
    results = KeypointTarget()(results)
    assert results['keypoint_labels'].shape == (1, K, 2) and results['keypoint_labels'].dtype == np.float32
    assert results['keypoint_weights'].shape == (1, K) and results['keypoint_weights'].dtype == np.float32
    assert 'heatmaps' not in results


def test_weights_beside_visibility_are_taken_apart_as_mmpose_does():
    ours, theirs = sample(), sample()
    for results in (ours, theirs):
        pairs = np.stack([results['keypoints_visible'], np.full((1, K), 0.25, np.float32)], axis=-1)
        results['keypoints_visible'] = pairs
    ours, theirs = KeypointTarget()(ours), GenerateTarget(CODEC)(theirs)
    for key in ('keypoints_visible', 'keypoints_visible_weights'):
        np.testing.assert_array_equal(ours[key], theirs[key])
    np.testing.assert_allclose(next(reversed(list(drawn(ours)))), theirs['keypoint_weights'])


def test_keypoints_that_no_step_has_moved():
    results = sample()
    results['keypoints'] = results.pop('transformed_keypoints')
    np.testing.assert_array_equal(KeypointTarget()(results)['keypoint_labels'], results['keypoints'])


def test_a_sample_is_lighter_by_its_heatmaps():
    pack = PackPoseInputs(meta_keys=('id',))
    sizes = [len(pickle.dumps(pack(target(sample(id=1))))) for target in (KeypointTarget(), GenerateTarget(CODEC))]
    assert sizes[1] - sizes[0] == pytest.approx(K * 64 * 48 * 4, abs=1000)  # 204 KiB


def test_mistakes():
    light = np.array([[1, 0, 0.3] + [1] * (K - 3)], np.float32)
    with pytest.raises(InputError, match='joint_weights of the dataset: keypoint 2 has 0.3'):
        KeypointTarget(use_dataset_keypoint_weights=True)(sample(dataset_keypoint_weights=light))
    one = sample()
    two = dict(one, transformed_keypoints=one['transformed_keypoints'].repeat(2, 0))
    with pytest.raises(InputError, match=r'of one person, \(1, K, 2\), not \(2, 17, 2\)'):
        KeypointTarget()(two)
    with pytest.raises(InputError, match="'transformed_keypoints' or 'keypoints'"):
        KeypointTarget()(dict(keypoints_visible=np.ones((1, K))))
