"""Maps over whole images: the right pixels coloured, all others as they were."""

from dataclasses import replace

import numpy as np
import pytest

from mmtranspose.errors import InputError
from mmtranspose.explain import PoseExplanation
from mmtranspose.visualization import overlay_on_image, overlay_people
from mmtranspose.visualization.heat import COLOURS, OPACITY

GRID = (8, 6)
IMAGE = (140, 200)  # height, width


def person(maps, crop_to_image=None, **fields):
    """An explanation whose crop of 48 x 64 pixels lies turned by 30 degrees and enlarged in the image."""
    keypoints = maps.shape[-3]
    cos, sin = np.cos(np.pi / 6), np.sin(np.pi / 6)
    turned = np.array([[1.25 * cos, -1.25 * sin, 90], [1.25 * sin, 1.25 * cos, 20]])
    defaults = dict(
        keypoints=np.full((keypoints, 2), np.nan),
        scores=np.full(keypoints, 0.9),
        dependency=maps,
        affect=None,
        names=['nose', 'left_wrist', 'right_wrist'][:keypoints],
        skeleton=[],
        score_thr=0.3,
        bbox=np.array([0, 0, 48, 64.0]),
        crop=np.zeros((64, 48, 3), np.uint8),
        token_to_crop=np.array([[8, 0, 3.5], [0, 8, 3.5]]),
        crop_to_image=turned if crop_to_image is None else np.array(crop_to_image, float),
        cells=np.zeros((keypoints, 1, 2), int),
        cell_weights=np.ones((keypoints, 1)),
    )
    return PoseExplanation(**{**defaults, **fields})


def peaked(*cells, weight=0.5, layers=1):
    """Maps (L, K, h, w), each with one heavy token."""
    maps = np.zeros((layers, len(cells), *GRID), np.float32)
    for keypoint, (row, col) in enumerate(cells):
        maps[:, keypoint, row, col] = weight
    return maps


def photo(size=IMAGE):
    return np.random.default_rng(0).integers(60, 120, (*size, 3), dtype=np.uint8)


def middle(explanation, row, col):
    """(x, y) of a token's middle in the image."""
    crop = explanation.token_to_crop @ [col, row, 1]
    return explanation.crop_to_image @ [*crop, 1]


def inside(explanation, size=IMAGE, margin=0.0):
    """(height, width), bool: the image's pixels within the crop, widened by ``margin`` pixels of the crop."""
    y, x = np.mgrid[: size[0], : size[1]]
    to_crop = np.linalg.inv(np.vstack([explanation.crop_to_image, [0, 0, 1]]))
    crop = np.stack([x, y, np.ones_like(x)], -1) @ to_crop.T
    last = np.array([48, 64]) - 0.5
    return ((crop[..., :2] >= -0.5 - margin) & (crop[..., :2] <= last + margin)).all(-1)


def test_the_peak_gets_the_last_colour_at_its_place_through_the_affine():
    explanation = person(peaked((5, 1)))
    image = photo()
    drawn = overlay_on_image(image, explanation, explanation.dependency[0, 0]).astype(float)
    expected = middle(explanation, 5, 1)
    x, y = np.rint(expected).astype(int)
    np.testing.assert_allclose(drawn[y, x], OPACITY * COLOURS[-1] + (1 - OPACITY) * image[y, x], atol=20)
    yellow = np.argwhere(drawn[..., 2] - drawn[..., 0] > 80)[:, ::-1]
    np.testing.assert_allclose(yellow.mean(0), expected, atol=1.5)


def test_pixels_outside_the_crop_stay_as_they_were():
    maps = np.full((1, 1, *GRID), 0.02, np.float32)
    explanation = person(maps)
    image = photo()
    drawn = overlay_on_image(image, explanation, maps[0, 0], caption='')
    outside = ~inside(explanation, margin=3)
    assert outside.mean() > 0.4
    np.testing.assert_array_equal(drawn[outside], image[outside])
    within = inside(explanation, margin=-3)
    assert (drawn[within] != image[within]).any(-1).all()


def test_weights_at_or_below_the_threshold_leave_the_image_as_it_was():
    maps = np.full((1, 1, *GRID), 0.009, np.float32)
    explanation = person(maps)
    image = photo()
    drawn = overlay_on_image(image, explanation, maps[0, 0], threshold=0.01)
    within = inside(explanation, margin=-3)
    np.testing.assert_array_equal(drawn[within], image[within])


def test_a_keypoint_of_many_is_drawn_on_the_scale_of_all():
    maps = np.stack([np.full(GRID, 0.1), np.full(GRID, 0.4)]).astype(np.float32)
    explanation = person(maps[None])
    image = photo()
    within = inside(explanation, margin=-3)
    many = overlay_on_image(image, explanation, maps, 'nose', caption='')
    quarter = overlay_on_image(image, explanation, maps[0], 0, caption='', top=0.4)
    np.testing.assert_array_equal(many, quarter)
    own = overlay_on_image(image, explanation, maps[0], 0, caption='').astype(float)
    assert np.abs(own - many)[within].mean() > 20


def test_a_large_image_is_worked_on_in_bands_to_the_same_end(monkeypatch):
    explanation = person(peaked((5, 1), (2, 2)))
    whole = overlay_people(photo(), [explanation], 1, 0)
    monkeypatch.setattr('mmtranspose.visualization.overlay.BAND_PIXELS', 300)
    np.testing.assert_array_equal(overlay_people(photo(), [explanation], 1, 0), whole)


def test_the_keypoint_is_marked_and_an_uncertain_one_differently():
    flat = np.zeros((1, 1, *GRID), np.float32)
    sure = person(flat, keypoints=np.array([[96.0, 60.0]]))
    image = np.full((*IMAGE, 3), 90, np.uint8)
    ring = overlay_on_image(image, sure, flat[0, 0], 0, caption='')
    cross = overlay_on_image(image, replace(sure, scores=np.array([0.1])), flat[0, 0], 0, caption='')
    for drawn in (ring, cross):
        changed = np.argwhere((drawn > 200).all(-1))
        np.testing.assert_allclose(changed.mean(0), (60, 96), atol=0.5)
    assert (ring[60, 96] == 90).all() and (cross[60, 96] > 200).all()


def test_people_share_a_scale_and_the_higher_weight_wins_where_they_overlap():
    there, weaker = np.full((1, 1, *GRID), 0.4, np.float32), np.full((1, 1, *GRID), 0.1, np.float32)
    strong = person(there, [[1, 0, 10], [0, 1, 40]])
    weak = person(weaker, [[1, 0, 40], [0, 1, 40]])
    image = np.full((*IMAGE, 3), 90, np.uint8)
    drawn = overlay_people(image, [strong, weak], 0, 0).astype(float)
    np.testing.assert_allclose(drawn, overlay_people(image, [weak, strong], 0, 0), atol=3)  # outlines cross
    top = OPACITY * COLOURS[-1] + (1 - OPACITY) * 90
    opacity = OPACITY * 0.25**0.6
    quarter = opacity * COLOURS[64] + (1 - opacity) * 90
    np.testing.assert_allclose(drawn[70, 20], top, atol=1)  # the first person alone
    np.testing.assert_allclose(drawn[70, 50], top, atol=1)  # both
    np.testing.assert_allclose(drawn[70, 75], quarter, atol=2)  # the second alone


def test_the_layer_direction_and_head_asked_for_are_drawn():
    maps = np.stack([peaked((1, 1)), peaked((6, 4))], axis=1)  # (L, heads, K, h, w): heads apart
    maps = np.concatenate([np.zeros_like(maps), maps])
    explanation = person(maps, affect=np.roll(maps, 1, axis=-1))
    drawn = overlay_people(np.full((*IMAGE, 3), 90, np.uint8), [explanation], 'nose', 1, 'affect', head=1, caption='')
    yellow = np.argwhere(drawn[..., 2].astype(int) - drawn[..., 0] > 80)[:, ::-1]
    np.testing.assert_allclose(yellow.mean(0), middle(explanation, 6, 5), atol=1.5)


def test_the_caption_stands_in_the_corner_where_it_can_be_read():
    explanation = person(np.zeros((1, 1, *GRID), np.float32), [[1, 0, 100], [0, 1, 60]])
    with_caption = overlay_people(photo(), [explanation], 0, 0)
    without = overlay_people(photo(), [explanation], 0, 0, caption='')
    rows, columns = np.nonzero((with_caption != without).any(-1))
    assert rows.max() < 20 and columns.max() < 195 and (with_caption[:20, :195] > 240).any()
    tiny = photo((32, 32))
    small = person(np.zeros((1, 1, *GRID), np.float32), [[0.5, 0, 2], [0, 0.45, 1]])
    np.testing.assert_array_equal(overlay_people(tiny, [small], 0, 0), overlay_people(tiny, [small], 0, 0, caption=''))


@pytest.mark.parametrize('size', [(32, 32), (1, 1), (5, 400)])
def test_images_of_any_size_and_crops_beyond_them(size):
    explanation = person(peaked((3, 2)), [[4, 0, -90], [0, 4, -120]])  # near the peak: the first pixels
    image = photo(size)
    drawn = overlay_people(image, [explanation], 0, 0, caption='')
    assert drawn.shape == image.shape and (drawn[0, 0] != image[0, 0]).any()
    away = person(peaked((2, 2)), [[1, 0, 5000], [0, 1, 5000]])
    np.testing.assert_array_equal(overlay_people(image, [away], 0, 0, caption=''), image)


def test_nobody_leaves_the_image_as_it_was():
    image = photo()
    drawn = overlay_people(image, [], 0, 0)
    np.testing.assert_array_equal(drawn, image)
    assert drawn is not image


def test_what_came_in_stays():
    explanation, image = person(peaked((2, 2))), photo()
    weights = explanation.dependency.copy()
    overlay_people(image, [explanation], 0, 0)
    np.testing.assert_array_equal(image, photo())
    np.testing.assert_array_equal(explanation.dependency, weights)


@pytest.mark.parametrize(
    ('keypoint', 'layer', 'message'),
    [
        (3, 0, 'keypoint 3 is unknown; choose from nose, left_wrist, or a number from 0 to 1'),
        (-1, 0, 'keypoint -1 is unknown'),
        ('tail', 0, "'tail' is unknown; choose from nose, left_wrist"),
        (0, 1, 'there is no layer 1: there are 1, numbered from 0'),
        (0, -1, 'there is no layer -1'),
    ],
)
def test_keypoints_and_layers_that_do_not_exist(keypoint, layer, message):
    with pytest.raises(InputError, match=message):
        overlay_people(photo(), [person(peaked((2, 2), (3, 3)))], keypoint, layer)


def test_weights_and_images_of_the_wrong_kind():
    explanation = person(peaked((2, 2), (3, 3)))
    with pytest.raises(InputError, match='name the keypoint to draw'):
        overlay_on_image(photo(), explanation, explanation.dependency[0])
    with pytest.raises(InputError, match=r'weights must have shape \(8, 6\) or \(2, 8, 6\), not \(1, 2, 8, 6\)'):
        overlay_on_image(photo(), explanation, explanation.dependency, 0)
    with pytest.raises(InputError, match='must be uint8, not float64'):
        overlay_on_image(photo() / 255, explanation, explanation.dependency[0], 0)
    with pytest.raises(InputError, match=r'\(height, width, 3\), not \(140, 200\)'):
        overlay_on_image(photo()[..., 0], explanation, explanation.dependency[0], 0)
