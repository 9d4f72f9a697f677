"""Definitions of keypoints that contradict themselves, and the names of keypoints."""

import re
from pathlib import Path

import mmpose
import numpy as np
import pytest
from mmpose.datasets.datasets.utils import parse_pose_metainfo

from mmtranspose.dataset_check import keypoint_definition
from mmtranspose.dataset_check.keypoint_definition import canonical, left_right_pairs, mirrored

DEFINITIONS = Path(mmpose.__file__).parent / '.mim' / 'configs' / '_base_' / 'datasets'
HUMANS = ['aic', 'coco', 'coco_wholebody', 'crowdpose', 'exlpose', 'halpe', 'jhmdb', 'mhp', 'mpii', 'posetrack18']


def definition(change=None, **given):
    """A parsed definition of a nose and two eyes; ``change`` alters the keypoints first."""
    keypoints = {
        0: dict(name='nose', id=0, type='upper', swap=''),
        1: dict(name='left_eye', id=1, type='upper', swap='right_eye'),
        2: dict(name='right_eye', id=2, type='upper', swap='left_eye'),
    }
    if change:
        change(keypoints)
    default = dict(skeleton_info={0: dict(link=('nose', 'left_eye'))}, joint_weights=[1.0] * 3, sigmas=[0.03] * 3)
    return parse_pose_metainfo(dict(dataset_name='face', keypoint_info=keypoints, **{**default, **given}))


def texts(problems) -> list:
    return [(problem.kind, problem.where) for problem in problems]


def everything(meta) -> list:
    return texts(
        [
            *keypoint_definition.check_definition(meta, {}),
            *keypoint_definition.check_swap(meta),
            *keypoint_definition.check_sigmas(meta),
        ]
    )


@pytest.mark.parametrize('name', HUMANS)
def test_mmposes_own_definitions_are_good(name):
    assert everything(parse_pose_metainfo(dict(from_file=str(DEFINITIONS / f'{name}.py')))) == []


def swap(k, other):
    return lambda keypoints: keypoints[k].update(swap=other)


def rename(k, name):
    def change(keypoints):
        keypoints[k]['name'] = name
        for keypoint in keypoints.values():
            keypoint['swap'] = ''

    return change


@pytest.mark.parametrize(
    ('change', 'expected'),
    [
        (None, []),
        (
            swap(1, 'nose'),
            [
                ('keypoint-swap', 'left_eye swaps with nose, which swaps with nose'),
                ('keypoint-swap', 'right_eye swaps with left_eye, which swaps with nose'),
            ],
        ),
        (
            lambda keypoints: [swap(1, '')(keypoints), swap(2, '')(keypoints)],
            [
                ('keypoint-swap', 'left_eye swaps with left_eye, not right_eye'),
                ('keypoint-swap', 'right_eye swaps with right_eye, not left_eye'),
            ],
        ),
        (rename(2, 'chin'), [('keypoint-pairing', 'left_eye swaps with nothing')]),
    ],
)
def test_swap(change, expected):
    assert everything(definition(change)) == expected


@pytest.mark.parametrize(
    ('sigmas', 'expected'),
    [
        ([0.03, 0.99, 0.001], []),
        ([], [('sigmas', 'metainfo.sigmas has no numbers for 3 keypoints')]),
        ([0.03] * 2, [('sigmas', 'metainfo.sigmas has 2 numbers for 3 keypoints')]),
        ([0.03, 0, 0.03], [('sigmas', 'metainfo.sigmas has 0 for left_eye')]),
        ([0.03, 0.03, 1], [('sigmas', 'metainfo.sigmas has 1 for right_eye')]),
        ([np.nan, 0.03, 0.03], [('sigmas', 'metainfo.sigmas has nan for nose')]),
        ([0.03, -0.5, 0.03], [('sigmas', 'metainfo.sigmas has -0.5 for left_eye')]),
    ],
)
def test_sigmas(sigmas, expected):
    assert everything(definition(sigmas=sigmas)) == expected


@pytest.mark.parametrize(
    ('meta', 'kind', 'words'),
    [
        (dict(joint_weights=[1.0] * 4), 'weights', 'joint_weights has 4 numbers for 3 keypoints'),
        (dict(skeleton_info={0: dict(link=('nose', 'nose'))}), 'links', r'the link \(0, 0\)'),
        (dict(skeleton_info={0: dict(link=('nose', 'left_eye', 'right_eye'))}), 'links', r'the link \(0, 1, 2\)'),
        (dict(change=lambda keypoints: keypoints.update({4: keypoints.pop(0)})), '', r'ids \[1, 2, 4\], not 0 to 2'),
        (dict(change=lambda keypoints: keypoints[0].update(name='left_eye')), '', 'a name comes twice'),
    ],
)
def test_definition(meta, kind, words):
    skeleton = dict(skeleton_info={}) if 'change' in meta else {}
    problems = list(keypoint_definition.check_definition(definition(**skeleton, **meta), {}))
    kinds = {'weights': 'keypoint-weights', 'links': 'skeleton-links', '': 'keypoint-definition'}
    assert [problem.kind for problem in problems] == [kinds[kind]]
    assert re.search(words, problems[0].where)


def test_weights_that_are_used():
    steps = dict(GenerateTarget=dict(use_dataset_keypoint_weights=True))
    (problem,) = keypoint_definition.check_definition(definition(joint_weights=[1.0] * 4), steps)
    assert problem.kind == 'keypoint-definition'


@pytest.mark.parametrize('half', ['upper', 'lower'])
def test_half_body(half):
    meta = definition(lambda keypoints: [keypoint.update(type=half) for keypoint in keypoints.values()])
    other = dict(upper='lower', lower='upper')[half]
    found = texts(keypoint_definition.check_half_body(meta, dict(RandomHalfBody={})))
    assert found == [('half-body', f'no keypoint in keypoint_info has type={other!r}')]
    assert texts(keypoint_definition.check_half_body(meta, dict(RandomFlip={}))) == []


@pytest.mark.parametrize(('channels', 'wrong'), [(3, False), (None, False), (17, True)])
def test_head(channels, wrong):
    assert bool(list(keypoint_definition.check_head(3, channels, 3))) == wrong


def both(names):
    return f'. The file has {names}; metainfo has nose, left_eye, right_eye'


@pytest.mark.parametrize(
    ('names', 'expected'),
    [
        (['nose', 'left_eye', 'right_eye'], []),
        (['Nose', 'L Eye', 'right-eye'], []),
        (['nose', 'left_eye'], []),  # a dataset class may add the third
        (7, [('keypoint-names-missing', 'no entry of categories that people carry has keypoints')]),
        (
            ['nose', 'left_eye', 'right_eye', 'chin'],
            [
                (
                    'keypoint-names-number',
                    "category 'face' names 4, metainfo 3" + both('nose, left_eye, right_eye, chin'),
                )
            ],
        ),
        (
            ['snout', 'right_eye', 'left_eye'],
            [
                (
                    'keypoint-order',
                    "category 'face': keypoints[1] is 'right_eye', in metainfo 'left_eye'; 3 of 3 differ"
                    + both('snout, right_eye, left_eye'),
                )
            ],
        ),
        (
            ['snout', 'left_eye', 'right_eye'],
            [
                (
                    'keypoint-names',
                    "category 'face': keypoints[0] is 'snout', in metainfo 'nose'; 1 of 3 differ"
                    + both('snout, left_eye, right_eye'),
                )
            ],
        ),
    ],
)
def test_categories(names, expected):
    categories = [dict(id=1, name='car', keypoints=['wheel'] * 9), dict(id=7, name='face', keypoints=names)]
    assert texts(keypoint_definition.check_categories(categories, [7], definition())) == expected


@pytest.mark.parametrize(
    ('name', 'one', 'other'),
    [
        ('left_eye', 'left_eye', 'right_eye'),
        ('L_EarBase', 'left_ear_base', 'right_ear_base'),
        ('Right Shoulder', 'right_shoulder', 'left_shoulder'),
        ('Eye-R', 'eye_right', 'eye_left'),
        ('r_hip', 'right_hip', 'left_hip'),
        ('forelegL1', 'foreleg_left_1', 'foreleg_right_1'),
        ('head_top', 'head_top', None),
        ('lower_lip', 'lower_lip', None),
    ],
)
def test_names(name, one, other):
    assert (canonical(name), mirrored(name)) == (one, other)


def test_pairs():
    names = ['nose', 'R_Hip', 'L_Hip', 'left knee', 'left_ear', 'right_ear']
    assert left_right_pairs(names) == {'left_hip': (2, 1), 'left_ear': (4, 5)}
