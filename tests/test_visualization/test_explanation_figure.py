"""Maps of a person as a grid of images: colours by weight, one scale a layer, marks, names, order."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import matplotlib
import numpy as np
import pytest

from mmtranspose.errors import InputError
from mmtranspose.explain import PoseExplanation
from mmtranspose.visualization import explanation_figure, relevance_figure
from mmtranspose.visualization.canvas import DPI
from mmtranspose.visualization.explanation_layout import MAX_COLUMNS, Layout, fitted_name
from mmtranspose.visualization.heat import COLOURS, GROWTH, OPACITY, heat, in_grey

GRID = (8, 6)
STEP = 8  # pixels of the crop a token


def person(maps, scores=None, **fields):
    """An explanation with maps (L, K, h, w) over a plain crop, its keypoints in the crop's lower right corner."""
    keypoints = maps.shape[-3]
    defaults = dict(
        keypoints=np.tile([46.0, 61.0], (keypoints, 1)),
        scores=np.full(keypoints, 0.9) if scores is None else np.asarray(scores),
        dependency=maps,
        affect=None,
        names=[f'point_{number}' for number in range(keypoints)],
        skeleton=[(0, keypoints - 1)],
        score_thr=0.3,
        bbox=np.array([0, 0, 48, 64.0]),
        crop=np.full((64, 48, 3), (200, 120, 40), np.uint8),
        token_to_crop=np.array([[STEP, 0, 3.5], [0, STEP, 3.5]]),
        crop_to_image=np.eye(2, 3),
        cells=np.zeros((keypoints, 1, 2), int),
        cell_weights=np.ones((keypoints, 1)),
    )
    return PoseExplanation(**{**defaults, **fields})


def even(*layers):
    """Maps that are the same everywhere, of weights (L, K)."""
    return np.broadcast_to(np.array(layers, np.float32)[..., None, None], (*np.shape(layers), *GRID)).copy()


def cells(figure, explanation, keypoints=None, rows=None):
    """(rows, keypoints, height, width, 3): what a figure without a title shows in its cells, by layout's inches."""
    keypoints = list(range(len(explanation.names))) if keypoints is None else keypoints
    rows = [f'layer {number + 1}' for number in range(explanation.num_layers)] if rows is None else rows
    layout = Layout.of(explanation, rows, keypoints)
    header = figure.shape[0] / DPI - layout.size[1]
    h, w = int(layout.cell[1] * DPI) - 3, int(layout.cell[0] * DPI) - 3

    def cut(row, index):
        left, top = layout.corner(row, index)
        y, x = round((top + header) * DPI) + 2, round(left * DPI) + 2
        return figure[y : y + h, x : x + w].astype(int)

    return np.array([[cut(row, index) for index in range(len(keypoints))] for row in range(len(rows))])


def blend(explanation, share):
    """The colour over the crop of a weight that is this share of its scale."""
    grey = in_grey(explanation.crop)[0, 0]
    opacity = OPACITY * share**GROWTH
    return grey * (1 - opacity) + COLOURS[min(int(share * 256), 255)] * opacity


def upper_left(cell):
    """The quarter that the keypoints' marks leave free."""
    return cell[: cell.shape[0] // 2, : cell.shape[1] // 2].reshape(-1, 3)


def test_colours_are_linear_in_the_weight_on_one_scale_a_layer():
    explanation = person(even([0.4, 0.2, 0.1], [4e-4, 1e-4, 2e-4]))
    drawn = cells(explanation_figure(explanation), explanation)
    for row, shares in enumerate([(1, 0.5, 0.25), (1, 0.25, 0.5)]):
        for index, share in enumerate(shares):
            expected = np.broadcast_to(blend(explanation, share), upper_left(drawn[row, index]).shape)
            np.testing.assert_allclose(upper_left(drawn[row, index]), expected, atol=2)


def test_colours_are_in_order_of_lightness():
    lightness = COLOURS @ (0.114, 0.587, 0.299)
    assert (np.diff(lightness) >= 0).all() and np.ptp(lightness) > 150


def test_keypoints_by_numpy_numbers_and_as_one_name():
    explanation = person(even([0.4, 0.2]))
    by_number, by_name = (explanation_figure(explanation, keypoints=given) for given in (np.array([1]), 'point_1'))
    np.testing.assert_array_equal(by_number, by_name)


def test_the_scale_is_that_of_all_keypoints_where_some_are_drawn():
    explanation = person(even([0.4, 0.2, 0.1]))
    drawn = cells(explanation_figure(explanation, keypoints=[2, 'point_1']), explanation, keypoints=[2, 1])
    np.testing.assert_allclose(upper_left(drawn[0, 0]).mean(0), blend(explanation, 0.25), atol=2)
    np.testing.assert_allclose(upper_left(drawn[0, 1]).mean(0), blend(explanation, 0.5), atol=2)


def test_a_peak_is_drawn_where_its_token_lies():
    maps = np.zeros((1, 2, *GRID), np.float32)
    maps[0, 0, 2, 1] = 0.5
    explanation = person(maps)
    drawn = cells(explanation_figure(explanation), explanation)[0]
    hot = np.argwhere(np.ptp(drawn[0], axis=-1) > 60)
    expected = np.array([2.5, 1.5]) / GRID * drawn[0].shape[:2]
    np.testing.assert_allclose(hot.mean(0), expected, atol=3)
    assert np.abs(hot - expected).max() < 1.1 * drawn[0].shape[0] / GRID[0]


def test_weights_at_or_below_the_threshold_leave_the_crop_grey():
    explanation = person(even([0.02, 0.0099, 0.0101, 0.005]))
    drawn = cells(explanation_figure(explanation, threshold=0.01), explanation)[0]
    grey = in_grey(explanation.crop)[0, 0]
    for index, shown in enumerate((True, False, True, False)):
        same = (np.abs(upper_left(drawn[index]) - grey) <= 1).all(-1)
        assert same.all() != shown and same.any() != shown
    assert (heat(np.array([0.01, 0.005]), 0.02, 0.01)[1] == 0).all()


def test_the_bar_ends_in_the_last_colour_and_hatches_the_threshold():
    explanation = person(even([0.04, 0.02]))
    plain, cut = explanation_figure(explanation), explanation_figure(explanation, threshold=0.01)
    for figure, lowest in ((plain, 'grey'), (cut, 'white')):
        layout = Layout.of(explanation, ['layer 1'], [0, 1])
        top = layout.corner(0, 0)[1] + figure.shape[0] / DPI - layout.size[1]
        x = round((layout.bar_left + 0.055) * DPI)
        bar = figure[round(top * DPI) + 2 : round((top + layout.cell[1]) * DPI) - 2, x - 4 : x + 4].astype(int)
        middle_grey = 30 + round(0.6 * 128)
        np.testing.assert_allclose(bar[0].mean(0), COLOURS[-1] * 0.85 + middle_grey * 0.15, atol=8)
        fifth = bar[int(0.8 * len(bar)) : int(0.95 * len(bar))]
        assert ((fifth > 230).mean() > 0.4) == (lowest == 'white')
        above = bar[int(0.6 * len(bar)) : int(0.7 * len(bar))]
        assert (above > 230).all(-1).sum() == 0


def test_uncertain_keypoints_are_marked_and_others_left_alone():
    sure, unsure = (person(even([0.4, 0.2, 0.1]), scores=(0.9, score, 0.9)) for score in (0.8, 0.2))
    first, second = explanation_figure(sure), explanation_figure(unsure)
    assert first.shape == second.shape
    changed = (cells(first, sure) != cells(second, unsure)).any((-1, -2, -3))[0]
    assert changed.tolist() == [False, True, False]
    layout = Layout.of(sure, ['layer 1'], [0, 1, 2])
    names = slice(0, int((layout.corner(0, 0)[1] + first.shape[0] / DPI - layout.size[1]) * DPI))
    left, right = (int(layout.corner(0, index)[0] * DPI) for index in (1, 2))
    assert (first[names, left:right] != second[names, left:right]).any()
    assert (second[names, left:right] < 60).all(-1).sum() == 0, 'the name is not in black'


def test_the_keypoint_is_marked_where_it_lies():
    explanation = person(even([0, 0]), keypoints=np.array([[11.5, 15.5], [35.5, 47.5]]))
    drawn = cells(explanation_figure(explanation), explanation)[0]
    for cell, share in zip(drawn, ((0.25, 0.25), (0.75, 0.75)), strict=True):
        white = np.argwhere((cell > 220).all(-1))
        np.testing.assert_allclose(white.mean(0), np.array(share) * cell.shape[:2], atol=2.5)


def test_keypoints_outside_the_crop_mark_no_neighbour():
    explanation = person(even([0, 0, 0]), keypoints=np.array([[70.0, 20], [np.nan, np.nan], [-30, 20]]))
    drawn = cells(explanation_figure(explanation), explanation)
    np.testing.assert_allclose(drawn, np.broadcast_to(in_grey(explanation.crop)[0, 0], drawn.shape), atol=1)


@pytest.mark.parametrize('keypoints', [1, 17, 133])
def test_cells_stand_in_the_order_of_the_keypoints(keypoints):
    weights = (1 + np.random.permutation(keypoints)) / keypoints
    explanation = person(even(weights), names=[f'left_hand{number}' for number in range(keypoints)])
    layout = Layout.of(explanation, ['layer 1'], list(range(keypoints)))
    assert layout.blocks == {1: 1, 17: 1, 133: 8}[keypoints] and layout.columns <= MAX_COLUMNS
    drawn = cells(explanation_figure(explanation), explanation)[0]
    for cell, weight in zip(drawn, weights, strict=True):
        np.testing.assert_allclose(upper_left(cell).mean(0), blend(explanation, weight), atol=3)


def test_one_head_or_all():
    maps = np.stack([even([0.4, 0.1]), even([0.1, 0.4])], axis=1)  # (L, heads, K, h, w)
    explanation = person(maps)
    second = cells(explanation_figure(explanation, head=1), explanation)[0]
    np.testing.assert_allclose(upper_left(second[0]).mean(0), blend(explanation, 0.25), atol=2)
    mean = cells(explanation_figure(explanation), explanation)[0]
    np.testing.assert_allclose(upper_left(mean[0]).mean(0), blend(explanation, 1), atol=2)


def test_affect_is_drawn_when_asked_for():
    explanation = person(even([0.4, 0.2]), affect=even([0.1, 0.4]))
    drawn = cells(explanation_figure(explanation, 'affect'), explanation)[0]
    np.testing.assert_allclose(upper_left(drawn[0]).mean(0), blend(explanation, 0.25), atol=2)


def test_methods_have_scales_of_their_own_and_negative_relevance_is_not_drawn():
    relevance = {'rollout': even([5.0, 2.5])[0], 'integrated_gradients': even([1e-6, -1e-6])[0]}
    explanation = person(even([0.4, 0.2]), relevance=relevance)
    drawn = cells(relevance_figure(explanation), explanation, rows=list(relevance))
    np.testing.assert_allclose(upper_left(drawn[0, 1]).mean(0), blend(explanation, 0.5), atol=2)
    np.testing.assert_allclose(upper_left(drawn[1, 0]).mean(0), blend(explanation, 1), atol=2)
    assert (upper_left(drawn[1, 1]) == in_grey(explanation.crop)[0, 0]).all()


def test_what_is_no_number_is_not_drawn():
    maps = even([0.4, np.nan], [0, 0])
    explanation = person(maps)
    drawn = cells(explanation_figure(explanation), explanation)
    np.testing.assert_allclose(upper_left(drawn[0, 0]).mean(0), blend(explanation, 1), atol=2)
    for cell in (drawn[0, 1], drawn[1, 0], drawn[1, 1]):
        assert (upper_left(cell) == in_grey(explanation.crop)[0, 0]).all()


def test_a_title_moves_the_figure_down_and_is_no_formula():
    explanation = person(even([0.4, 0.2]))
    plain, titled = explanation_figure(explanation), explanation_figure(explanation, title=r'$\frac{1}$.jpg')
    lower = titled.shape[0] - plain.shape[0]
    assert lower > 10 and (titled[:lower] < 60).any()
    np.testing.assert_allclose(cells(plain, explanation), cells(titled, explanation), atol=3)


def test_what_came_in_and_matplotlib_stay_as_they_were():
    explanation = person(even([0.4, 0.2]))
    before = explanation.crop.copy(), explanation.dependency.copy(), dict(matplotlib.rcParams)
    explanation_figure(explanation, threshold=0.3)
    np.testing.assert_array_equal(explanation.crop, before[0])
    np.testing.assert_array_equal(explanation.dependency, before[1])
    assert dict(matplotlib.rcParams) == before[2]


def test_threads_draw_what_one_draws():
    people = [person(even([weight, 0.2])) for weight in (0.1, 0.2, 0.3, 0.4)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(explanation_figure, people))
    for drawn, explanation in zip(together, people, strict=True):
        np.testing.assert_array_equal(drawn, explanation_figure(explanation))


@pytest.mark.parametrize(
    ('keypoints', 'message'),
    [
        ([2], 'keypoint 2 is unknown; choose from point_0, point_1, or a number from 0 to 1'),
        ([-1], 'keypoint -1 is unknown'),
        (['tail'], "'tail' is unknown; choose from point_0, point_1"),
        ([], 'keypoints is empty'),
    ],
)
def test_keypoints_that_do_not_exist(keypoints, message):
    with pytest.raises(InputError, match=message):
        explanation_figure(person(even([0.4, 0.2])), keypoints=keypoints)


def test_methods_that_do_not_exist():
    explanation = person(even([0.4, 0.2]))
    with pytest.raises(InputError, match='there is no relevance'):
        relevance_figure(explanation)
    with pytest.raises(InputError, match="method='lime' is unknown; choose 'rollout'"):
        relevance_figure(replace(explanation, relevance={'rollout': even([1, 1])[0]}), methods=['lime'])


def test_names_break_where_words_end_and_shrink_where_they_do_not_fit():
    assert fitted_name('left_shoulder', 0.85) == ('left\nshoulder', 8.0)
    assert fitted_name('nose', 0.87) == ('nose', 8.0)
    text, size = fitted_name('integrated-gradients', 0.87)
    assert text == 'integrated-\ngradients' and size == 8.0
    text, size = fitted_name('supercalifragilistic', 0.87)
    assert text == 'supercalifragilistic' and 4 < size < 8
