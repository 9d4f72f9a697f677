"""Poses beside maps, keypoint after keypoint."""

from dataclasses import replace

import numpy as np
import pytest
from test_visualization.test_overlay import peaked, person, photo

from mmtranspose.errors import InputError
from mmtranspose.visualization import dependency_animation, overlay_people
from mmtranspose.visualization.heat import in_grey


@pytest.fixture
def explanation():
    points = np.array([[20, 30], [150, 100], [60, 90.0]])
    maps = peaked((1, 1), (6, 4), (3, 2), layers=2)
    return person(maps, keypoints=points, skeleton=[(0, 1), (1, 2)], scores=np.array([0.9, 0.8, 0.1]))


def test_certain_keypoints_one_after_the_other(explanation):
    image = photo()
    frames, durations = dependency_animation(image, [explanation])
    assert durations == [1000, 80, 80] * 2  # the third keypoint is uncertain
    h, w = image.shape[:2]
    assert all(frame.shape == (h, 2 * w, 3) for frame in frames)  # smaller than a panel: not enlarged
    for number, frame in enumerate(frames[::3]):
        np.testing.assert_array_equal(frame[:, w:], overlay_people(in_grey(image), [explanation], number, layer=1))
        np.testing.assert_array_equal(frame[:, :w], frames[0][:, :w])
    plain = [overlay_people(in_grey(image), [explanation], number, layer=1, caption='') for number in (0, 1)]
    strips = [(frame[:, w:] != other).any(-1) for frame, other in zip(frames[::3], plain)]  # of captions
    assert all(strip.any() for strip in strips) and (strips[0] != strips[1]).any()
    for frame, share, nearer in ((frames[1], 1 / 3, 0), (frames[2], 2 / 3, 1)):
        fade, strip = plain[0] * (1 - share) + plain[1] * share, strips[nearer]
        assert np.abs(frame[:, w:] - fade)[~strip].max() <= 0.51
        np.testing.assert_array_equal(frame[:, w:][strip], frames[3 * nearer][:, w:][strip])  # its caption, as it was
    np.testing.assert_array_equal(dependency_animation(image, [explanation], layer=0)[0][0][:, :w], frames[0][:, :w])


def test_the_pose_has_certain_keypoints_and_the_limbs_between_them(explanation):
    image = np.full((140, 200, 3), 128, np.uint8)
    pose = dependency_animation(image, [explanation])[0][0][:, :200]
    drawn = (pose != 128).any(-1)
    assert drawn[30, 20] and drawn[100, 150]  # keypoints
    assert drawn[65, 85]  # halfway between them
    assert not drawn[90, 60] and not drawn[95, 105]  # the uncertain keypoint and its limb


def test_fits_a_panel_and_shows_uncertain_people(explanation):
    nobody = replace(explanation, scores=np.zeros(3))
    frames, durations = dependency_animation(photo((300, 500)), [nobody], panel=100)
    assert len(frames) == 9 and durations.count(1000) == 3
    assert frames[0].shape == (60, 200, 3)
    with pytest.raises(InputError, match='at least one person'):
        dependency_animation(photo(), [])
    with pytest.raises(InputError, match='no layer 2'):
        dependency_animation(photo(), [explanation], layer=2)
