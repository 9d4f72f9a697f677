"""Tokens, crop and image: affines against MMPose's own warps and by hand."""

import numpy as np
import pytest
from mmengine.config import ConfigDict
from mmpose.datasets.transforms import GetBBoxCenterScale, TopdownAffine

from mmtranspose.crops.geometry import crop_to_image, cuts_udp
from mmtranspose.datasets.transforms import UnbiasedTopdownAffine
from mmtranspose.explain.token_grid import token_to_crop


@pytest.mark.parametrize(
    ('transform', 'udp'),
    [
        (UnbiasedTopdownAffine((48, 64)), True),
        (TopdownAffine((48, 64), use_udp=True), True),
        (TopdownAffine((48, 64)), False),
    ],
)
def test_inverse_of_the_crop(transform, udp):
    points = np.array([[[30, 40], [100, 200], [77.5, 13.25]]], np.float32)
    bbox = np.array([[20, 10, 140, 230]], np.float32)
    results = dict(img=np.zeros((240, 200, 3), np.uint8), bbox=bbox, keypoints=points)
    results = transform(GetBBoxCenterScale()(results))
    affine = crop_to_image(results['input_center'], results['input_scale'], results['input_size'], udp)
    back = results['transformed_keypoints'] @ affine[:, :2].T + affine[:, 2]
    np.testing.assert_allclose(back, points, atol=2e-4)


def test_tokens_by_hand():
    unbiased = 191 / 47, 255 / 63
    doubled = token_to_crop((32, 24), (64, 48), unbiased)
    # token 3 covers heatmap cells 6 and 7, whose middle is 6.5
    np.testing.assert_allclose(doubled @ [3, 3, 1], [6.5 * 191 / 47, 6.5 * 255 / 63])
    same = token_to_crop((64, 48), (64, 48), unbiased)
    np.testing.assert_allclose(same @ [47, 63, 1], [191, 255])
    np.testing.assert_allclose(same @ [0, 0, 1], [0, 0])


def test_which_pipelines_are_udp():
    def pipeline(**step):
        return [ConfigDict(type='LoadImage'), ConfigDict(**step), ConfigDict(type='PackPoseInputs')]

    assert cuts_udp(pipeline(type='UnbiasedTopdownAffine', input_size=(48, 64)))
    assert cuts_udp(pipeline(type='TopdownAffine', input_size=(48, 64), use_udp=True))
    assert not cuts_udp(pipeline(type='TopdownAffine', input_size=(48, 64)))
