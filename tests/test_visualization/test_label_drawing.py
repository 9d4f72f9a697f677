"""Labels over images: colours where labels are, nothing elsewhere; occluded keypoints differ from visible ones."""

import numpy as np
import pytest

from mmtranspose.visualization import draw_labels

NAMES = ['nose', 'left_wrist', 'R_Wrist']
COLOURS = np.array([(10, 20, 250), (20, 240, 30), (250, 120, 40)])  # RGB
META = dict(
    keypoint_id2name=dict(enumerate(NAMES)),
    keypoint_colors=COLOURS,
    skeleton_links=[(0, 1), (1, 2)],
    skeleton_link_colors=np.array([(200, 0, 100), (0, 200, 100)]),
)
POINTS = np.array([[(20, 20), (60, 20), (60, 70)]], float)
BOX = (10, 10, 70, 80)


def draw(points=POINTS, flags=((2, 2, 2),), boxes=(), meta=META, size=(120, 100)):
    image = np.full((100, 120, 3), 90, np.uint8)
    return draw_labels(image, points, np.array(flags), np.reshape(boxes, (-1, 4)), meta, size)


def test_keypoints_and_limbs_have_their_colours():
    drawn = draw()
    for (x, y), colour in zip(POINTS[0].astype(int), COLOURS):
        assert drawn[y, x].tolist() == colour[::-1].tolist()  # BGR
    assert drawn[20, 40].tolist() == [100, 0, 200] and drawn[45, 60].tolist() == [100, 200, 0]
    assert (drawn[80:] == 90).all()


def test_a_link_of_three_is_left_out():
    meta = dict(META, skeleton_links=[(0, 1), (0, 1, 2)])
    assert (draw(meta=meta)[45, 60] == 90).all() and draw(meta=meta)[20, 40].tolist() == [100, 0, 200]


def test_a_keypoint_without_label_is_not_drawn():
    drawn = draw(flags=[(2, 0, 2)])
    assert (drawn[10:31, 50:71] == 90).all()  # the wrist, and the limbs to it
    assert (drawn[20, 40] == 90).all() and (drawn[45, 60] == 90).all()
    assert (draw(flags=[(0, 0, 0)]) == 90).all()


def test_an_occluded_keypoint_is_a_ring():
    visible, occluded = draw(flags=[(2, 0, 0)]), draw(flags=[(1, 0, 0)])
    assert (occluded[20, 20] == 90).all() and not (visible[20, 20] == 90).any()
    blue, green, red = occluded[20, 22:25].astype(int).T  # the nose is blue
    assert (blue - np.maximum(red, green)).max() > 100
    thick, thin = (np.any(draw(flags=[(2, flag, 0)])[:, 40] != 90, axis=-1).sum() for flag in (2, 1))
    assert thick > thin > 0


def test_boxes():
    drawn = draw(flags=[(0, 0, 0)], boxes=[BOX, (100, 50, 20, 50)])
    assert (drawn[10, 10:80] == 255).all() and (drawn[89, 10:80] == 255).all()
    assert (drawn[10:90, 10] == 255).all() and (drawn[10:90, 79] == 255).all()
    assert (drawn[50:, 119] == 255).all()  # the edge of a box that ends with the image is seen
    assert (drawn[30, 12:78] == 90).all()


def test_labels_follow_the_image_to_its_size():
    drawn = draw(boxes=[BOX], size=(480, 300))
    assert drawn.shape == (300, 360, 3)
    assert drawn[round(20.5 * 3 - 0.5), round(60.5 * 3 - 0.5)].tolist() == [30, 240, 20]
    assert (drawn[30, 30:230] == 255).all()


@pytest.mark.parametrize('colours', [None, np.full((3, 3), 128)])
def test_sides_are_told_apart_where_the_colours_do_not(colours):
    drawn = draw(meta=dict(META, keypoint_colors=colours, skeleton_links=[]))
    assert [drawn[y, x].tolist() for x, y in POINTS[0].astype(int)] == [[255, 200, 60], [60, 200, 60], [60, 130, 255]]


def test_wild_numbers_do_not_stop_it():
    points = np.array([[(np.nan, 20), (60, 20), (1e300, -1e300)]])
    drawn = draw(points, boxes=[(np.nan, 0, 5, 5), (-1e300, 0, 5, 1e300)])
    assert drawn[20, 60].tolist() == [30, 240, 20]
    assert (draw(np.zeros((0, 3, 2)), np.zeros((0, 3))) == 90).all()
