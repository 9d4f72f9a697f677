"""Maps on the crop and on the image, by hand; marks; access to layers and heads."""

import numpy as np
import pytest

from mmtranspose.errors import InputError
from mmtranspose.explain import PoseExplanation


@pytest.fixture
def explanation():
    rng = np.random.default_rng(0)
    dependency = rng.random((2, 3, 4, 4, 3)).astype(np.float32)  # layers, heads, keypoints, grid
    return PoseExplanation(
        keypoints=np.array([[20, 30], [40.0, 50], [24, 34], [31, 36]]),
        scores=np.array([0.9, 0.29, 0.3, np.nan]),
        dependency=dependency,
        affect=None,
        names=['a', 'b', 'c', 'd'],
        skeleton=[(0, 1)],
        score_thr=0.3,
        bbox=np.array([12, 22, 60, 80.0]),
        crop=np.zeros((32, 24, 3), np.uint8),
        token_to_crop=np.array([[8, 0, 3.5], [0, 8, 3.5]]),
        crop_to_image=np.array([[2, 0, 10], [0, 2, 20.0]]),
        cells=np.zeros((4, 1, 2), int),
        cell_weights=np.ones((4, 1)),
    )


def test_marks_and_sizes(explanation):
    assert explanation.uncertain.tolist() == [False, True, False, True]
    assert (explanation.num_layers, explanation.num_heads, explanation.grid) == (2, 3, (4, 3))
    np.testing.assert_allclose(explanation.crop_keypoints, [[5, 5], [15, 15], [7, 7], [10.5, 8]])


def test_heads(explanation):
    np.testing.assert_allclose(explanation.maps(), explanation.dependency.mean(1))
    np.testing.assert_array_equal(explanation.maps(head=2), explanation.dependency[:, 2])
    for arguments, words in [
        (dict(direction='affect'), 'explain with affect=True'),
        (dict(direction='up'), "direction='up' is unknown"),
        (dict(head=3), 'the model has 3, numbered from 0'),
    ]:
        with pytest.raises(InputError, match=words):
            explanation.maps(**arguments)
    explanation.dependency = explanation.dependency.mean(1)
    assert explanation.num_heads is None
    with pytest.raises(InputError, match="head=0: the maps are the heads' mean; explain with heads='all'"):
        explanation.maps(head=0)


def ramp(explanation):
    """A map that is x + 100 y of the tokens' middles in pixels of the crop."""
    x, y = 3.5 + 8 * np.arange(3), 3.5 + 8 * np.arange(4)
    return (x[None] + 100 * y[:, None]).astype(np.float32)


def test_on_crop_is_bilinear(explanation):
    drawn = explanation.on_crop(np.stack([ramp(explanation), np.ones((4, 3))]))
    assert drawn.shape == (2, 32, 24)
    x = np.clip(np.arange(24), 3.5, 19.5)  # beyond the outermost middles their values go on
    y = np.clip(np.arange(32), 3.5, 27.5)
    np.testing.assert_allclose(drawn[0], x[None] + 100 * y[:, None], rtol=1e-5)
    np.testing.assert_allclose(drawn[1], 1, rtol=1e-6)


def test_on_image_goes_through_the_inverse_of_the_crop(explanation):
    drawn = explanation.on_image(ramp(explanation), (100, 70))
    # pixel (24, 50) of the image is (7, 15) of the crop
    assert drawn[50, 24] == pytest.approx(7 + 100 * 15, rel=1e-5)
    inside = np.zeros((100, 70), bool)
    inside[19:84, 9:58] = True  # the crop's pixels -0.5 to 23.5 and -0.5 to 31.5
    assert (drawn[inside] > 0).all() and not drawn[~inside].any()


def test_other_grids_are_refused(explanation):
    with pytest.raises(InputError, match=r'must end in the token grid \(4, 3\), not \(3, 4\)'):
        explanation.on_crop(np.zeros((3, 4)))


def test_image_size_is_height_and_width(explanation):
    words = r'image_size, the \(height, width\) of the image,=\(100, 70, 3\) must be two numbers'
    with pytest.raises(InputError, match=words):
        explanation.on_image(ramp(explanation), (100, 70, 3))
