"""Numbers of a dataset as figures: what is drawn is what was given, missing values are left out."""

import importlib
from itertools import pairwise

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_hex

from mmtranspose.errors import InputError
from mmtranspose.visualization import (
    dependency_matrix_figure,
    faithfulness_figure,
    layer_profile_figure,
    randomization_figure,
)

NAMES, PARTS = ['nose', 'left_wrist', 'right_knee'], ['head', 'arms']
VIRIDIS, RED_BLUE = matplotlib.colormaps['viridis'], matplotlib.colormaps['RdBu_r']


@pytest.fixture
def keep(monkeypatch):
    """Makes the figures' functions return the figure that they would render, rendered all the same."""
    for name in ('dataset_figures', 'dependency_matrix'):
        module = importlib.import_module(f'mmtranspose.visualization.{name}')
        rendered = module.rendered

        def both(figure, rendered=rendered):
            figure.pixels = rendered(figure)
            return figure

        monkeypatch.setattr(module, 'rendered', both)


def pixel(figure, axes, x, y):
    """BGR of the figure's pixel at a place in the axes' own coordinates."""
    column, row = axes.transData.transform((x, y))
    return figure.pixels[round(figure.pixels.shape[0] - 1 - row), round(column)].astype(float)


def colour(colours, share):
    return np.array(colours(share)[2::-1]) * 255


def lines(axes):
    return {line.get_label(): line.get_ydata() for line in axes.get_lines() if not line.get_label().startswith('_')}


def test_shares_become_colours_on_one_scale_for_all_layers(keep):
    shares = np.array([[[0.4, 0.1], [0.2, 0.0], [0.3, 0.1]], [[0.1, 0.2], [0.05, 0.2], [0.2, 0.2]]])
    figure = dependency_matrix_figure(shares, NAMES, PARTS)
    for axes, layer in zip(figure.axes[:2], shares, strict=True):
        for (row, column), share in np.ndenumerate(layer):
            drawn = pixel(figure, axes, column - 0.4, row - 0.4)  # clear of the number
            np.testing.assert_allclose(drawn, colour(VIRIDIS, share / 0.4), atol=4)
    assert [text.get_text() for text in figure.axes[0].texts] == ['40', '10', '20', '·', '30', '10']
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ['nose', 'left wrist', 'right knee']
    assert [label.get_text() for label in figure.axes[1].get_xticklabels()] == PARTS


def test_visible_and_occluded_share_a_scale_and_their_difference_is_centred(keep):
    visible, occluded = np.full((1, 3, 2), 0.2), np.full((1, 3, 2), 0.2)
    occluded[0, 0, 0], occluded[0, 1, 1] = 0.4, 0.15
    figure = dependency_matrix_figure(visible, NAMES, PARTS, occluded=occluded)
    upper, middle, lower = figure.axes[0], figure.axes[2], figure.axes[4]
    np.testing.assert_allclose(pixel(figure, upper, -0.4, -0.4), colour(VIRIDIS, 0.5), atol=4)
    np.testing.assert_allclose(pixel(figure, middle, -0.4, -0.4), colour(VIRIDIS, 1.0), atol=4)
    np.testing.assert_allclose(pixel(figure, lower, -0.4, -0.4), colour(RED_BLUE, 1.0), atol=4)
    np.testing.assert_allclose(pixel(figure, lower, 0.6, 0.6), colour(RED_BLUE, 0.5 - 0.05 / 0.2 / 2), atol=4)
    np.testing.assert_allclose(pixel(figure, lower, -0.4, 1.6), colour(RED_BLUE, 0.5), atol=4)
    assert [text.get_text() for text in lower.texts] == ['20', '·', '·', '−5', '·', '·']


def test_missing_shares_are_hatched_in_grey_and_do_not_stretch_the_scale(keep):
    shares = np.array([[[0.4, np.nan], [np.nan, 0.2], [0.1, 0.3]]])
    figure = dependency_matrix_figure(shares, NAMES, PARTS)
    for column, row in ((1, 0), (0, 1)):
        assert np.ptp(pixel(figure, figure.axes[0], column - 0.1, row - 0.1)) < 12
    np.testing.assert_allclose(pixel(figure, figure.axes[0], 0.6, 0.6), colour(VIRIDIS, 0.5), atol=4)
    assert len(figure.axes[0].texts) == 4
    empty = dependency_matrix_figure(shares * np.nan, NAMES, PARTS, occluded=shares)
    assert not empty.axes[0].texts and not empty.axes[4].texts


@pytest.mark.parametrize('keypoints', [1, 21, 133])
def test_matrices_of_any_number_of_keypoints(keypoints, keep):
    shares = np.random.rand(1, keypoints, keypoints)
    names = [f'point{number}' for number in range(keypoints)]
    figure = dependency_matrix_figure(shares, names, names, title='of $all$')
    last = keypoints - 1
    expected = colour(VIRIDIS, shares[0, last, 0] / shares.max())
    np.testing.assert_allclose(pixel(figure, figure.axes[0], -0.3, last - 0.3), expected, atol=4)
    assert bool(figure.axes[0].texts) == (keypoints < 133)
    (title,) = figure.texts
    ends = title.get_window_extent().y0
    assert figure.axes[0].title.get_window_extent().y1 < ends


def test_labels_of_matrices_lie_within_the_figure(keep):
    names = ['a_very_long_name_of_a_keypoint', 'nose']
    figure = dependency_matrix_figure(np.ones((2, 2, 2)), names, names, occluded=np.zeros((2, 2, 2)))
    width, height = figure.bbox.size
    boxes = [label.get_window_extent() for axes in figure.axes for label in axes.get_xticklabels()]
    boxes += [label.get_window_extent() for axes in figure.axes for label in axes.get_yticklabels()]
    for box in boxes:
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height


@pytest.mark.parametrize('keypoints', [1, 5])
def test_titles_of_small_matrices_do_not_overlap(keypoints, keep):
    names = [f'point{number}' for number in range(keypoints)]
    shares = np.ones((3, keypoints, keypoints))
    figure = dependency_matrix_figure(shares, names, names, occluded=shares)
    boxes = [axes.title.get_window_extent() for axes in figure.axes[8:11]]  # the longest: occluded less visible
    assert [axes.get_title()[9:] for axes in figure.axes[8:11]] == ['occluded − visible'] * 3
    assert all(left.x1 < right.x0 for left, right in pairwise(boxes)) and boxes[-1].x1 < figure.bbox.width


@pytest.mark.parametrize('shape', [(3, 2), (1, 2, 3), (0, 3, 2)])
def test_shares_of_another_shape(shape):
    with pytest.raises(InputError, match=r'must have shape \(L, 3, 2\), not \('):
        dependency_matrix_figure(np.zeros(shape), NAMES, PARTS)


def test_occluded_of_another_shape():
    with pytest.raises(InputError, match=r'the shape of shares, \(2, 3, 2\), not \(1, 3, 2\)'):
        dependency_matrix_figure(np.zeros((2, 3, 2)), NAMES, PARTS, occluded=np.zeros((1, 3, 2)))


def profile(*means, width=0.5):
    return [[mean, mean - width, mean + width] for mean in means]


def test_profiles_are_lines_with_bands_in_the_same_colours(keep):
    entropy = {'visible': profile(6, 5, 4), 'occluded': profile(6, 5.5, np.nan)}
    reach = {'occluded': profile(1, 2, 3)}
    left, right = layer_profile_figure(entropy, reach).axes
    np.testing.assert_array_equal(lines(left)['visible'], [6, 5, 4])
    np.testing.assert_array_equal(lines(left)['occluded'], [6, 5.5, np.nan])
    np.testing.assert_array_equal(lines(right)['occluded'], [1, 2, 3])
    colours = {line.get_label(): line.get_color() for line in left.get_lines()}
    assert colours['visible'] != colours['occluded'] == right.get_lines()[0].get_color()
    band = right.collections[0].get_paths()[0].get_extents()
    np.testing.assert_allclose([band.y0, band.y1], [0.5, 3.5])
    assert [label.get_text() for label in left.get_xticklabels()] == ['1', '2', '3']
    assert (left.get_ylabel(), right.get_ylabel()) == ('entropy (nats)', 'reach (torso lengths)')


def test_profiles_need_mean_low_and_high():
    with pytest.raises(InputError, match=r"'visible' must have shape \(points, 3\): mean, low, high; not \(3,\)"):
        layer_profile_figure({'visible': [1, 2, 3]}, {})


def test_randomisation_has_a_line_a_method_over_the_blocks(keep):
    blocks = ['head.final_layer', 'neck.layers.1', 'neck.positions']
    figure = randomization_figure(blocks, {'rollout': profile(0.9, 0.5, 0.1), 'random': profile(0, 0, 0, width=0.1)})
    (axes,) = figure.axes
    np.testing.assert_array_equal(lines(axes)['rollout'], [0.9, 0.5, 0.1])
    assert [label.get_text() for label in axes.get_xticklabels()] == [
        'head.final layer',
        'neck.layers.1',
        'neck.positions',
    ]
    low, high = axes.get_ylim()
    assert low <= -0.1 and 1 < high < 1.6
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ['rollout', 'random']


def test_lines_of_many_methods_are_told_apart(keep):
    (axes,) = randomization_figure(
        ['head', 'neck'], {f'method-{number}': profile(0.5, 0.1) for number in range(24)}
    ).axes
    looks = [(line.get_color(), line.get_marker()) for line in axes.get_lines() if line.get_marker() != 'None']
    assert len(looks) == len(set(looks)) == 24


def test_randomisation_of_another_number_of_blocks():
    with pytest.raises(InputError, match=r"'rollout' must have shape \(2, 3\), not \(3, 3\)"):
        randomization_figure(['head', 'neck'], {'rollout': profile(0.9, 0.5, 0.1)})


def rows():
    """Two measures of two methods and a control, one value missing, one row too."""
    return [
        dict(measure='deletion', method='random', mean=0.6, low=0.5, high=0.7, control=True, higher_is_better=False),
        dict(measure='deletion', method='rollout', mean=0.4, low=0.3, high=0.5, higher_is_better=False),
        dict(measure='deletion', method='attention-2', mean=0.2, low=0.1, high=0.3, higher_is_better=False),
        dict(measure='pointing_game', method='random', mean=0.1, low=0.0, high=0.2, control=True),
        dict(measure='pointing_game', method='rollout', mean=None, low=None, high=None, higher_is_better=True),
    ]


def dots(axes):
    """(x, y, face) of the dots drawn."""
    found = [line for line in axes.get_lines() if line.get_marker() == 'o']
    return [(line.get_xdata()[0], line.get_ydata()[0], to_hex(line.get_markerfacecolor())) for line in found]


def test_faithfulness_is_a_dot_and_an_interval_a_method(keep):
    deletion, pointing = faithfulness_figure(rows()).axes
    assert [label.get_text() for label in deletion.get_yticklabels()] == ['rollout', 'attention-2', 'random']
    drawn = {y: (x, face) for x, y, face in dots(deletion)}
    assert {y: x for y, (x, _) in drawn.items()} == {0: 0.4, 1: 0.2, 2: 0.6}
    intervals = [line.get_xdata() for line in deletion.get_lines() if len(set(line.get_ydata())) == 1]
    assert [0.3, 0.5] in [list(ends) for ends in intervals]
    assert drawn[2][1] == '#ffffff' != drawn[0][1] == drawn[1][1]
    assert [x for x, _, _ in dots(pointing)] == [0.1]


def test_controls_reach_through_their_panel_and_arrows_say_what_is_better(keep):
    deletion, pointing = faithfulness_figure(rows()).axes
    across = [line.get_xdata()[0] for line in deletion.get_lines() if list(line.get_ydata()) == [0, 1]]
    assert across == [0.6]
    assert deletion.get_xlabel() == '← lower is better'
    assert pointing.get_xlabel() == 'higher is better →'
    assert [text.get_text() for text in pointing.texts] == ['no value'] * 2 and not deletion.texts


def test_a_measure_of_unknown_direction_has_no_arrow(keep):
    (axes,) = faithfulness_figure([dict(measure='drift', method='rollout', mean=1.0, low=0.5, high=1.5)]).axes
    assert axes.get_xlabel() == ''


def test_faithfulness_of_nothing():
    with pytest.raises(InputError, match='needs at least one row'):
        faithfulness_figure([])


def test_images_are_bgr_and_lines_keep_their_colours_under_any_style():
    with matplotlib.rc_context({'axes.facecolor': 'black', 'figure.facecolor': 'black'}):
        drawn = layer_profile_figure({'visible': profile(6, 5)}, {'visible': profile(1, 2)})
    assert drawn.dtype == np.uint8 and (drawn[0, 0] == 255).all()
    blue = (drawn == (0xB2, 0x72, 0x00)).all(-1)  # '#0072b2'
    assert blue.sum() > 100 and (drawn == 255).all(-1).mean() > 0.6


def test_numbers_stay_as_they_were():
    shares, given = np.full((1, 3, 2), np.nan), rows()
    dependency_matrix_figure(shares, NAMES, PARTS)
    faithfulness_figure(given)
    assert np.isnan(shares).all() and given == rows()
