"""A map over its crop: colour where it weighs, grey where it does not, a mark at the joint."""

import cv2
import numpy as np
import pytest

from mmtranspose.visualization import draw_dependency

HEADER = 30
INFERNO_TOP = cv2.applyColorMap(np.array([[255]], np.uint8), cv2.COLORMAP_INFERNO)[0, 0].astype(float)


@pytest.fixture
def crop():
    return np.full((64, 48, 3), (200, 120, 40), np.uint8)


def peaked(row, col):
    weights = np.zeros((8, 6), np.float32)
    weights[row, col] = 0.5
    return weights


def middle(row, col, height=384):
    """(row, col) of the picture at a token's middle, the header left out."""
    return int((row + 0.5) * height / 8), int((col + 0.5) * height * 48 / 64 / 6)


def test_size(crop):
    assert draw_dependency(crop, peaked(2, 3), (5, 6), 'nose').shape == (HEADER + 384, 288, 3)
    drawn = draw_dependency(crop, peaked(2, 3), (5, 6), 'nose', height=128)
    assert drawn.shape == (HEADER + 128, 96, 3) and drawn.dtype == np.uint8


def test_where_the_map_weighs_colour_shows(crop):
    body = draw_dependency(crop, peaked(2, 3), (5, 60), 'nose')[HEADER:]
    grey = cv2.cvtColor(crop[:1, :1], cv2.COLOR_BGR2GRAY)[0, 0]
    np.testing.assert_allclose(body[middle(2, 3)], 0.2 * grey + 0.8 * INFERNO_TOP, atol=6)
    np.testing.assert_allclose(body[middle(6, 1)], grey, atol=1)
    np.testing.assert_allclose(body[middle(2, 0)], grey, atol=1)


def test_rows_and_columns_are_not_mixed_up(crop):
    body = draw_dependency(crop, peaked(7, 0), (40, 5), 'nose')[HEADER:].astype(int)
    coloured = np.ptp(body, axis=-1) > 30
    rows, cols = np.nonzero(coloured & (np.arange(384)[:, None] > 60))
    assert rows.mean() > 340 and cols.mean() < 40


def test_maps_are_scaled_to_their_own_maximum(crop):
    once, tenth = (draw_dependency(crop, peaked(2, 3) * scale, (5, 60), 'nose') for scale in (1, 0.1))
    np.testing.assert_allclose(once, tenth, atol=1)


def test_an_empty_map_leaves_the_picture_grey(crop):
    body = draw_dependency(crop, np.zeros((8, 6)), (5, 60), 'nose')[HEADER:]
    assert (body[:300] == cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY)[0, 0]).all()


def test_the_joint_is_marked(crop):
    flat = np.zeros((8, 6))
    marked = draw_dependency(crop, flat, (12, 40), 'nose')[HEADER:]
    ring = np.argwhere((marked == 255).all(-1))
    np.testing.assert_allclose(ring.mean(0), (40 * 6, 12 * 6), atol=1)
    assert np.linalg.norm(ring - (240, 72), axis=1).max() < 10


def test_the_title_stands_above(crop):
    with_title, without = (draw_dependency(crop, peaked(2, 3), (5, 6), title) for title in ('left_wrist', ''))
    assert (without[:HEADER] == 24).all()
    assert with_title[:HEADER].max() > 150
    np.testing.assert_array_equal(with_title[HEADER:], without[HEADER:])


def test_what_came_in_stays(crop):
    weights = peaked(2, 3)
    before = crop.copy(), weights.copy()
    draw_dependency(crop, weights, (5, 6), 'nose')
    np.testing.assert_array_equal(crop, before[0])
    np.testing.assert_array_equal(weights, before[1])
