"""Left and right of people, drawn by hand and from the generator."""

import json

import numpy as np
import pytest
from conftest import SYNTHETIC_CONFIG

from mmtranspose.dataset_check import check_dataset
from mmtranspose.dataset_check.annotations import AnnotatedPerson, Annotations
from mmtranspose.dataset_check.left_right import across, check_people, check_swapped, more_than_chance
from mmtranspose.loading.config import load_config

TORSO = ['left_shoulder', 'right_shoulder', 'left_hip', 'right_hip']
FACE = [*TORSO, 'nose', 'left_eye', 'right_eye']
UPRIGHT = [(60, 0), (0, 0), (50, 100), (10, 100), (30, -40), (38, -50), (22, -50)]
"""From the front: a torso 100 long, shoulders 60 and hips 40 wide, a face above."""


def annotations(people, flags=2):
    """People (N, K, 2) with all keypoints labelled."""
    people = np.asarray(people, float)
    labelled = [np.column_stack((points, np.full(len(points), flags))) for points in people]
    return Annotations(
        people.shape[1],
        [
            AnnotatedPerson(index, index, one, (0, 0, 100, 100), (200, 200), True)
            for index, one in enumerate(labelled, 1)
        ],
    )


def torsos(count, shoulder=60.0, hip=40.0, angle=0.0):
    """``count`` torsos of length 100 whose left lies so far to the right, turned by ``angle`` degrees."""
    one = np.array([(shoulder, 0), (-shoulder, 0), (hip, 200), (-hip, 200)]) / 2
    turn = np.deg2rad(angle)
    return np.repeat([one @ [[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]] + 300], count, 0)


class TestAcross:
    def test_by_hand(self):
        points = np.array([[(30, 5), (10, 0)]], float)  # left is 20 to the right and 5 lower
        for up, expected in (((0, -10), 2), ((0, 10), -2), ((10, 0), 0.5), ((-5, 0), -1), ((0, 0), np.nan)):
            np.testing.assert_allclose(across(points, (0, 1), np.array([up], float)), [expected])

    def test_a_turned_image_changes_nothing(self):
        for angle in range(0, 360, 45):
            points = torsos(1, 60, 40, angle)
            up = points[:, :2].mean(1) - points[:, 2:].mean(1)
            np.testing.assert_allclose(across(points, (0, 1), up), [0.6])


class TestPeople:
    @pytest.mark.parametrize('angle', [0, 90, 200])
    @pytest.mark.parametrize(
        ('shoulder', 'hip', 'suspicious'),
        [
            (60, 40, False),
            (-60, -40, False),
            (60, -40, True),
            (-60, 40, True),
            (60, -20, False),  # hips nearly edge-on: a twist
            (30, -40, False),
            (260, -40, False),  # the torso is seen along its axis
        ],
    )
    def test_torso(self, angle, shoulder, hip, suspicious):
        people = [*torsos(2, 60, 40, angle), *torsos(1, shoulder, hip, angle)]
        found = list(check_people(annotations(people), TORSO))
        assert [problem.kind for problem in found] == ['left-right-contradict'] * suspicious
        if suspicious:
            text = f'annotation 3: left - right shoulder {shoulder / 100:+.2f}, hip {hip / 100:+.2f} torso lengths'
            assert found[0].where == text

    def test_unlabelled_keypoints_say_nothing(self):
        found = annotations(torsos(1, 60, -40))
        found.keypoints[0, 3, 2] = 0
        assert list(check_people(found, TORSO)) == []
        assert list(check_people(found, ['a', 'b', 'c', 'd'])) == []


class TestWholeDataset:
    def swapped(self, people, names, flags=2):
        return [(problem.kind, problem.where) for problem in check_swapped(annotations(people, flags), names)]

    def mirrored(self, *pairs):
        points = list(UPRIGHT)
        for a, b in pairs:
            points[a], points[b] = points[b], points[a]
        return points

    @pytest.mark.parametrize('flags', [1, 2])
    def test_faces(self, flags):
        good, bad = UPRIGHT, self.mirrored((0, 1), (2, 3), (5, 6))
        assert self.swapped([good] * 9, FACE, flags) == []
        assert self.swapped([bad] * 4, FACE, flags) == []  # too few
        for wrong, kind in ((8, 'left-right-suspect'), (18, 'left-right-suspect'), (19, 'left-right-swapped')):
            assert self.swapped([bad] * wrong + [good], FACE, flags) == [
                (kind, f'left_{name}, right_{name}: in {wrong} of {wrong + 1} people who face the camera')
                for name in ('shoulder', 'hip', 'eye')
            ]

    def test_one_pair(self):
        found = self.swapped([self.mirrored((2, 3))] * 6, FACE)
        assert found == [('left-right-suspect', 'left_hip, right_hip: in 6 of 6 people who face the camera')]

    def test_people_without_a_face_do_not_count(self):
        found = annotations([self.mirrored((0, 1), (2, 3), (5, 6))] * 9)
        found.keypoints[:, 4, 2] = 0  # seen from behind: no nose
        assert list(check_swapped(found, FACE)) == []
        found.keypoints[3:, 4, 2] = 1  # an occluded nose is none
        assert list(check_swapped(found, FACE)) == []

    def test_without_faces_against_the_shoulders(self):
        assert self.swapped([*torsos(20), *torsos(25, -60, -40)], TORSO) == []
        found = self.swapped([*torsos(5, 60, -40), *torsos(5, -60, 40), *torsos(1)], TORSO)
        assert found == [('left-right-suspect', 'left_hip, right_hip: in 10 of 11 people, against their shoulders')]

    def test_most_people_from_behind(self):
        found = self.swapped([*torsos(20), *torsos(40, -60, -40)], TORSO)
        assert found == [('seen-from-behind', 'in 40 of 60 people the left shoulder is on the left')]
        assert self.swapped([*torsos(40), *torsos(20, -60, -40)], TORSO) == []

    @pytest.mark.parametrize(
        ('wrong', 'right', 'expected'),
        [(4, 0, False), (5, 0, True), (4, 1, False), (8, 1, True), (60, 40, True), (59, 41, False), (0, 9, False)],
    )
    def test_chance(self, wrong, right, expected):
        assert more_than_chance(wrong, right) == expected


class TestGeneratedPeople:
    @pytest.fixture
    def check(self, people, tmp_path):
        """Checks the generated people's training annotations, in which ``exchange`` swaps keypoints of ``ids``."""

        def check(exchange, ids):
            content = json.loads((people / 'annotations/person_keypoints_train.json').read_text())
            for one in content['annotations']:
                if one['id'] in ids:
                    points = np.reshape(one['keypoints'], (17, 3))
                    points[exchange] = points[exchange[::-1]] if len(exchange) == 2 else points[_PARTNERS]
                    one['keypoints'] = points.ravel().tolist()
            path = tmp_path / 'swapped.json'
            path.write_text(json.dumps(content))
            options = {'data_root': str(people), 'train_dataloader.dataset.ann_file': str(path)}
            cfg = load_config(str(SYNTHETIC_CONFIG), options)
            return check_dataset(cfg, ['train'], images=False).findings

        return check

    def test_one_persons_hips(self, check):
        found = check([11, 12], {4})
        assert list(found) == [('train', 'left-right-contradict')]
        group = found['train', 'left-right-contradict']
        assert group.count == 1 and group.examples[0].startswith('annotation 4: left - right shoulder +')

    def test_everybody(self, check):
        found = check(list(range(17)), set(range(1, 8)))
        assert list(found) == [('train', 'left-right-suspect')]
        assert found['train', 'left-right-suspect'].examples[0].startswith('left_eye, right_eye: in 6 of 6 people')


_PARTNERS = [0, *(k + 1 if k % 2 else k - 1 for k in range(1, 17))]
