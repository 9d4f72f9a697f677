"""Kinds of errors of single keypoints, by hand: areas and sigmas are such that ks is exp(-d^2 / 200)."""

import numpy as np
import pytest

from mmtranspose.dataset_explanation.cases.error_costs import error_costs
from mmtranspose.dataset_explanation.cases.error_types import TYPES, corrected, diagnose, similarities, tolerances
from mmtranspose.dataset_explanation.labelled_people import GroundTruth

FLIP = [0, 2, 1]  # nose, left and right wrist
SIGMAS = np.array([0.05, 0.05, 0.05])  # with an area of 10000, k s is 10 pixels
NEAR = 10 * np.sqrt(2 * np.log(2))  # 11.77 pixels, where ks is 0.5
JITTER_FROM = 10 * np.sqrt(-2 * np.log(0.85))  # 5.70 pixels, where ks is 0.85
NAN = np.nan


def person(points, id=0, area=10_000.0):
    points = np.array(points, float)
    return GroundTruth(id, points, np.where(np.isfinite(points[:, 0]), 2, 0), area)


OWN = person([[0, 0], [100, 0], [200, 0]])
OTHER = person([[0, 50], [100, 50], [200, 50]], id=7)
FAR = person([[0, 900], [100, 900], [200, 900]], id=9)


def kinds_of(points, own=OWN, others=(OTHER, FAR)):
    found = diagnose(np.array(points, float), own, others, SIGMAS, FLIP)
    return [TYPES[kind] if kind >= 0 else None for kind in found.kind], found


@pytest.mark.parametrize(
    ('left_wrist', 'kind', 'mistaken', 'whose'),
    [
        ((100, 0), 'good', NAN, -1),
        ((100 + JITTER_FROM - 1e-6, 0), 'good', NAN, -1),
        ((100 + JITTER_FROM + 1e-6, 0), 'jitter', NAN, -1),
        ((100 + NEAR - 1e-6, 0), 'jitter', NAN, -1),
        ((100 + NEAR + 1e-6, 0), 'miss', NAN, -1),
        ((200, 10), 'inversion', np.exp(-0.5), -1),
        ((200 - NEAR + 1e-6, 0), 'inversion', 0.5, -1),
        ((200 - NEAR - 1e-6, 0), 'miss', NAN, -1),
        ((100, 60), 'swap', np.exp(-0.5), 7),  # the other person's left wrist
        ((200, 50), 'swap', 1, 7),  # and the other person's right wrist
        ((100, 905), 'swap', np.exp(-25 / 200), 9),
        ((0, 0), 'miss', NAN, -1),  # on the nose: not of the same sort
        ((0, 50), 'miss', NAN, -1),
    ],
)
def test_kinds_by_hand(left_wrist, kind, mistaken, whose):
    names, found = kinds_of([[0, 0], left_wrist, [200, 0]])
    assert names == ['good', kind, 'good']
    np.testing.assert_allclose(found.mistaken[1], mistaken, rtol=1e-5)
    assert found.whose.tolist() == [-1, whose, -1]
    assert found.similarity[1] == pytest.approx(np.exp(-((left_wrist[0] - 100) ** 2 + left_wrist[1] ** 2) / 200))


def test_a_keypoint_near_its_own_place_is_no_swap_though_another_is_nearer():
    near = person([[0, 8], [100, 8], [200, 8]], id=7)
    names, found = kinds_of([[0, 7], [100, 7], [200, 0]], others=[near])
    assert names == ['jitter', 'jitter', 'good'] and np.isnan(found.mistaken).all()


@pytest.mark.parametrize(
    ('offset', 'kind', 'whose'), [(-3, 'inversion', -1), (0, 'inversion', -1), (3, 'swap', 7)]
)  # 0 is a tie
def test_between_inversion_and_swap_the_nearer_decides(offset, kind, whose):
    close = person([[0, 20], [500, 20], [200, 20]], id=7)
    names, found = kinds_of([[0, 0], [200, 10 + offset], [200, 0]], others=[close])
    assert names[1] == kind and found.whose[1] == whose


def test_the_size_of_the_other_person_counts_for_a_swap():
    small = person(OTHER.keypoints, id=7, area=100.0)  # ks is exp(-d^2 / 2)
    assert kinds_of([[0, 52], [100, 50], [200, 0]], others=[small])[0] == ['miss', 'swap', 'good']
    assert kinds_of([[0, 51], [100, 50], [200, 0]], others=[small])[0][0] == 'swap'


def test_what_is_not_labelled():
    own = person([[0, 0], [100, 0], [NAN, NAN]])
    names, found = kinds_of([[0, 0], [200, 0], [200, 0]], own=own, others=[])
    assert names == ['good', 'miss', None]  # nobody knows whether this is the right wrist
    assert np.isnan(found.similarity[2]) and found.whose.tolist() == [-1, -1, -1]
    one_eyed = person([[0, 50], [NAN, NAN], [200, 50]], id=7)
    assert kinds_of([[0, 0], [100, 50], [200, 50]], others=[one_eyed])[0] == ['good', 'miss', 'swap']


def test_sigmas_are_those_of_the_true_keypoint():
    sigmas = np.array([0.05, 0.05, 0.5])
    found = similarities(np.array([[0.0, 0], [200, 100], [200, 100]]), OWN, sigmas, np.array(FLIP))
    assert found[1, 1] == pytest.approx(np.exp(-0.5)) and found[0, 2] == pytest.approx(np.exp(-0.5))
    assert found[1, 2] == pytest.approx(np.exp(-(100**2 + 100**2) / 200))


def cases_of(people, predicted, scores, others):
    found = [diagnose(np.array(p, float), own, o, SIGMAS, FLIP) for p, own, o in zip(predicted, people, others)]
    return dict(
        predicted=np.array(predicted, float),
        truth=np.stack([own.keypoints for own in people]),
        area=np.array([own.area for own in people]),
        score=np.array(scores, float),
        **{name: np.stack(column) for name, column in zip(found[0]._fields, zip(*found))},
    )


MIXED = [[[0, 8], [200, 10], [200, 300]]]  # jitter, inversion, miss


def test_corrections_by_hand():
    cases = cases_of([OWN], MIXED, [[1, 1, 1]], [[OTHER]])
    np.testing.assert_array_equal(corrected(cases, SIGMAS, ()), cases['predicted'])
    moved = corrected(cases, SIGMAS, ('jitter',))
    np.testing.assert_allclose(moved[0], [[0, JITTER_FROM], [200, 10], [200, 300]])
    moved = corrected(cases, SIGMAS, ('jitter', 'inversion', 'miss', 'swap'))
    # the inversion is 10 pixels from the wrong wrist, so it comes to 10 pixels from its own, on the line to it
    away = np.array([100, 10]) / np.hypot(100, 10)
    np.testing.assert_allclose(moved[0], [[0, JITTER_FROM], [100, 0] + 10 * away, [200, NEAR]])


def test_a_swap_is_moved_to_the_same_similarity_at_the_own_size():
    big = person(OTHER.keypoints, id=7, area=40_000.0)  # 20 pixels a sigma
    cases = cases_of([OWN], [[[0, 0], [100, 70], [200, 0]]], [[1, 1, 1]], [[big]])
    np.testing.assert_allclose(corrected(cases, SIGMAS, ('swap',))[0, 1], [100, 10])
    assert corrected(cases, SIGMAS, ('miss', 'jitter', 'inversion'))[0, 1].tolist() == [100, 70]


def test_tolerances_by_hand():
    np.testing.assert_allclose(tolerances([100, 400], [0.05, 0.1]), [[1, 2], [2, 4]])


def test_costs_by_hand():
    """Two people of three keypoints. The surer one has one missed keypoint, so that OKS is 2/3; the other is perfect.

    AP at thresholds 0.50 to 0.65: both match, 1. From 0.70 on the surer prediction is wrong: precision is 1/2 up to
    recall 1/2, which are 51 of the 101 recalls. With the miss at ks 0.5, OKS is 2.5 / 3 = 0.83: wrong from 0.85 on.
    """
    missed, perfect = [[0, 0], [100, 0], [200, 300]], OWN.keypoints
    cases = cases_of([OWN, OWN], [missed, perfect], [[0.9, 0.9, 0.9], [0.5, 0.5, 0.1]], [[], []])
    rows = {row['corrected']: row for row in error_costs(cases, ['a', 'b'], SIGMAS)}
    wrong_from_70 = (4 + 6 * 51 / 101 / 2) / 10
    assert rows['none']['AP'] == pytest.approx(wrong_from_70)
    assert rows['none']['AP50'] == 1 and rows['none']['AP75'] == pytest.approx(51 / 101 / 2)
    assert rows['miss']['AP'] == pytest.approx((7 + 3 * 51 / 101 / 2) / 10) and rows['miss']['keypoints'] == 1
    assert rows['miss']['AP75'] == 1
    assert rows['miss']['gain'] == pytest.approx(rows['miss']['AP'] - wrong_from_70)
    for name in ('swap', 'inversion', 'jitter'):
        assert rows[name]['gain'] == 0 and rows[name]['keypoints'] == 0
    assert rows['miss + swap + inversion + jitter']['AP'] == rows['miss']['AP']


def test_costs_of_one_image_match_people_by_similarity():
    """Both people in one image: the surer prediction lies on the other person, and takes that match by COCO's rules."""
    predicted = [OTHER.keypoints, OTHER.keypoints]
    cases = cases_of([OWN, OTHER], predicted, [[0.9] * 3, [0.5] * 3], [[OTHER], [OWN]])
    rows = {row['corrected']: row for row in error_costs(cases, ['a', 'a'], SIGMAS)}
    assert rows['none']['AP'] == pytest.approx(51 / 101)  # one match, then one that is wrong
    assert rows['swap']['AP'] == 1 and rows['swap']['keypoints'] == 3


def test_all_people_of_an_image_count():
    """All 25 predictions are perfect: with COCO's limit of 20 in an image, recall would end at 20 / 25."""
    people = [person(OWN.keypoints + 300 * number, id=number) for number in range(25)]
    cases = cases_of(people, [one.keypoints for one in people], np.full((25, 3), 0.9), [[]] * 25)
    found = error_costs(cases, ['a'] * 25, SIGMAS)[0]
    assert (found['AP'], found['AP50'], found['AP75']) == (1, 1, 1)


def test_people_who_are_moved_to_a_threshold_pass_it():
    """Misses are moved to ks 0.5, which is AP50's threshold: no rounding may decide whether they pass."""
    generator = np.random.default_rng(0)
    people = [person(generator.uniform(0, 600, (3, 2)), area=generator.uniform(1e3, 1e5)) for _ in range(40)]
    missed = [one.keypoints + generator.uniform(900, 2000, (3, 2)) for one in people]
    cases = cases_of(people, missed, np.full((40, 3), 0.9), [[]] * 40)
    images = [str(number) for number in range(40)]
    rows = {row['corrected']: row for row in error_costs(cases, images, SIGMAS)}
    assert rows['none']['AP50'] == 0 and rows['miss']['keypoints'] == 120 and rows['miss']['AP50'] == 1


def test_costs_do_not_depend_on_the_blocks(monkeypatch):
    generator = np.random.default_rng(1)
    people = [person(generator.uniform(0, 600, (3, 2)), area=generator.uniform(1e3, 1e5)) for _ in range(7)]
    predicted = [one.keypoints + generator.normal(0, 20, (3, 2)) for one in people]
    cases = cases_of(people, predicted, generator.uniform(0, 1, (7, 3)), [[]] * 7)
    whole = error_costs(cases, list('aabbccc'), SIGMAS)
    monkeypatch.setattr('mmtranspose.dataset_explanation.cases.error_costs.PEOPLE', 3)
    assert error_costs(cases, list('aabbccc'), SIGMAS) == whole and 0 < whole[0]['AP'] < 1


def test_scores_are_means_of_those_above_a_fifth():
    """By a score of 0.2 or less the second person would come first, and AP at 0.70 would be another."""
    missed, perfect = [[0, 0], [100, 0], [200, 300]], OWN.keypoints
    cases = cases_of([OWN, OWN], [missed, perfect], [[0.6, 0.6, 0.6], [0.9, 0.1, 0.1]], [[], []])
    rows = {row['corrected']: row for row in error_costs(cases, ['a', 'b'], SIGMAS)}
    # the perfect one comes first, with 0.9: precision is 1 up to recall 1/2
    assert rows['none']['AP'] == pytest.approx((4 + 6 * 51 / 101) / 10)
