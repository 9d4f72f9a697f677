"""Keypoints by name and number."""

import numpy as np
import pytest

from mmtranspose.errors import InputError
from mmtranspose.keypoint_names import keypoint_groups, keypoint_index, keypoint_indices, keypoint_names

NAMES = ['nose', 'left_wrist', '2']


def test_names_in_order_of_their_numbers():
    assert keypoint_names({'keypoint_id2name': {1: 'left_wrist', 0: 'nose'}}) == ['nose', 'left_wrist']
    assert keypoint_names({}) == []


@pytest.mark.parametrize(
    ('given', 'number'), [('nose', 0), ('left_wrist', 1), ('1', 1), (1, 1), (np.int64(1), 1), (0, 0), ('2', 2)]
)
def test_index(given, number):
    assert keypoint_index(NAMES, given) == number


@pytest.mark.parametrize('given', ['wrist', '3', '-1', '', -1, 3, np.int64(3)])
def test_unknown_keypoints(given):
    with pytest.raises(InputError, match=r'keypoint .* is unknown; choose from nose, left_wrist, 2, or a number'):
        keypoint_index(NAMES, given)


@pytest.mark.parametrize(
    ('given', 'numbers'), [(None, [0, 1, 2]), ('nose', [0]), (['left_wrist', 0], [1, 0]), (np.array([2, 0]), [2, 0])]
)
def test_indices(given, numbers):
    assert keypoint_indices(NAMES, given) == numbers


def test_no_keypoint():
    with pytest.raises(InputError, match='keypoints is empty; give at least one, or None for all'):
        keypoint_indices(NAMES, [])


def test_groups_of_a_whole_body():
    body, sides = ['nose', 'left_wrist', 'right_ankle'], ('left', 'right')
    names = body + ['left_big_toe', 'right_heel'] + [f'face-{number}' for number in range(3)]
    names += [f'{side}_{part}' for side in sides for part in ('hand_root', 'thumb1', 'thumb2', 'middle_finger4')]
    assert keypoint_groups(names) == {
        'body': [0, 1, 2],
        'feet': [3, 4],
        'face': [5, 6, 7],
        'left hand': [8, 9, 10, 11],
        'right hand': [12, 13, 14, 15],
    }


@pytest.mark.parametrize(
    ('names', 'groups'),
    [
        (['sss_kpt1', 'sss_kpt2', 'vest_kpt1', 'vest_kpt2'], {'sss kpt': [0, 1], 'vest kpt': [2, 3]}),
        (['neck', 'L_Index_1', 'R_Pinky_2', 'thumb3'], {'body': [0], 'left hand': [1], 'right hand': [2], 'hand': [3]}),
        (['head', 'point2', 'mid_hip'], {'body': [0, 1, 2]}),  # a name with a number, alone
        (['Hand_L', 'hand_right', 'thumb_r_tip', 'palm'], {'left hand': [0], 'right hand': [1, 2], 'hand': [3]}),
        (['right_index', 'index_mcp', 'ring_2', 'l_middle_pip'], {'right hand': [0], 'hand': [1, 2], 'left hand': [3]}),
        (['back_middle', 'body_middle_left', 'middle', 'nose_ring_left'], {'body': [0, 1, 2, 3]}),
        ([], {}),
    ],
)
def test_groups(names, groups):
    assert keypoint_groups(names) == groups
