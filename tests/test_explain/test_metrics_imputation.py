"""Imputed pixels against dense solutions and images whose imputation is known."""

import numpy as np
import pytest
import torch

from mmtranspose.errors import InputError
from mmtranspose.explain.metrics.imputation import imputation_noise, linear_imputation


def dense_imputation(image, removed):
    """``image`` (C, H, W) with ``removed`` (H, W) pixels by numpy's dense solver, one equation a pixel."""
    height, width = removed.shape
    matrix, right = np.eye(height * width), image.reshape(len(image), -1).T.copy()
    for y, x in np.argwhere(removed):
        weights = np.zeros((height, width))
        for dy, dx in np.ndindex(3, 3):
            yy, xx = y + dy - 1, x + dx - 1
            if (dy, dx) != (1, 1) and 0 <= yy < height and 0 <= xx < width:
                weights[yy, xx] = 1 / 6 if 1 in (dy, dx) else 1 / 12
        matrix[y * width + x] -= weights.ravel() / weights.sum()
        right[y * width + x] = 0
    return np.linalg.solve(matrix, right).T.reshape(image.shape)


@pytest.mark.parametrize('size', [(24, 32), (21, 17), (5, 3)])
@pytest.mark.parametrize('share', [0.2, 0.9])
def test_against_a_dense_solver(size, share):
    images = torch.randn(3, 2, *size)
    removed = torch.rand(3, *size) < share
    removed[0] = torch.arange(size[1]) > size[1] // 4  # one hole, and along the border
    removed[:, 0, 0] = False
    imputed = linear_imputation(images, removed)
    for image, mask, got in zip(images, removed, imputed):
        expected = dense_imputation(image.double().numpy(), mask.numpy())
        np.testing.assert_allclose(got.numpy(), expected, atol=1e-3)
        assert torch.equal(got[:, ~mask], image[:, ~mask])


def test_a_ramp_comes_back():
    y, x = torch.meshgrid(torch.arange(40.0), torch.arange(30.0), indexing='ij')
    ramp = torch.stack([0.1 * y, 0.05 * x - 0.02 * y])[None]
    removed = torch.zeros(1, 40, 30, dtype=torch.bool)
    removed[:, 4:35, 3:28] = True
    spoilt = torch.where(removed, torch.tensor(9.0), ramp)
    assert torch.allclose(linear_imputation(spoilt, removed), ramp, atol=1e-3)


def test_one_pixel_left_of_a_large_image_fills_it():
    images = torch.randn(2, 3, 96, 72)
    removed = torch.ones(2, 96, 72, dtype=torch.bool)
    removed[0, 3, 60] = False
    imputed = linear_imputation(images, removed)
    assert torch.allclose(imputed[0], images[0, :, 3:4, 60:61].expand(3, 96, 72), atol=5e-3)


def test_nothing_left_is_the_mean():
    images = torch.randn(2, 3, 16, 12)
    removed = torch.stack([torch.ones(16, 12), torch.zeros(16, 12)]).bool()
    imputed = linear_imputation(images, removed)
    assert torch.allclose(imputed[0], images[0].mean((1, 2), keepdim=True).expand(3, 16, 12), atol=1e-6)
    assert torch.equal(imputed[1], images[1])


def test_masks_of_another_size():
    with pytest.raises(InputError, match=r'\(N, H, W\)'):
        linear_imputation(torch.zeros(2, 3, 8, 6), torch.zeros(2, 6, 8, dtype=torch.bool))


def test_noise_follows_the_seed():
    like = torch.zeros(1)
    noise = imputation_noise((3, 100, 100), 0.01, 7, like)
    assert noise.std().item() == pytest.approx(0.01, rel=0.02) and abs(noise.mean().item()) < 3e-4
    assert torch.equal(noise, imputation_noise((3, 100, 100), 0.01, 7, like))
    assert not torch.equal(noise, imputation_noise((3, 100, 100), 0.01, 8, like))
