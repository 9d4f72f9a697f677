"""Areas against boxes and segmentations: what a factor, a constant or the box's own area gives."""

import pytest

from mmtranspose.dataset_check.areas import check_area, check_areas, is_person, polygon_area

SQUARE = [10, 10, 30, 10, 30, 30, 10, 30]  # 20 x 20


def person(area, box=(0, 0, 100, 50), **fields):
    return dict(id=7, area=area, bbox=list(box), keypoints=[1, 1, 2], **fields)


@pytest.mark.parametrize(
    ('area', 'found'),
    [
        (2500, None),
        (5000, None),
        (7500, None),
        (7501, ('area', 'area 7501, which is 1.5 of its box of 100 x 50')),
        (149, ('area-small', 'area 149, which is 0.0298 of its box of 100 x 50')),
        (24, ('area', 'area 24, which is 0.0048 of its box of 100 x 50')),
        (0, ('area', 'area 0')),
        (-3, ('area', 'area -3')),
        (1e30, ('area', 'area 1e+30, which is 2e+26 of its box of 100 x 50')),
        ('9', ('area', "area '9', not a number")),
        (True, ('area', 'area True, not a number')),
    ],
)
def test_one(area, found):
    said = [(one.kind, one.where) for one in check_area(person(area), True, True)]
    assert said == ([] if found is None else [(found[0], f'annotation 7: {found[1]}')])


def test_who_is_not_counted():
    assert list(check_area(person(1e30), False, True)) == []
    assert list(check_area(person(9, (0, 0, 0, 0)), True, True)) == []
    assert [one.kind for one in check_area(dict(id=7), True, True)] == ['area-missing']
    assert list(check_area(dict(id=7), True, False)) == []
    assert is_person(person(1)) and not is_person(person(1, iscrowd=1)) and not is_person(dict(keypoints=[1, 1, 0]))


@pytest.mark.parametrize(
    ('shares', 'found'),
    [
        ([0.5, 0.4, 0.6], []),
        ([0.05, 0.09, 0.5], [('areas', 'the median area is 0.09 of its box; 0.1 to 1.05 is usual')]),
        ([1.2, 1.3, 0.5], [('areas', 'the median area is 1.2 of its box; 0.1 to 1.05 is usual')]),
        ([1.0, 1.0, 0.5], [('areas-of-boxes', 'the median area is 1 of its box')]),
        ([0.01, 0.01], []),  # two people have no median to speak of
    ],
)
def test_all(shares, found):
    assert [tuple(one) for one in check_areas([person(5000 * share) for share in shares])] == found


@pytest.mark.parametrize(('area', 'found'), [(400, False), (270, False), (260, True), (590, False), (610, True)])
def test_segmentations(area, found):
    people = [person(area, (0, 0, 40, 40), segmentation=[SQUARE])] * 3
    text = f'the median area is {area / 400:.3g} of the segmentation that it should be'
    assert [tuple(one) for one in check_areas(people)] == ([('areas', text)] if found else [])


@pytest.mark.parametrize(
    ('segmentation', 'area'),
    [
        ([SQUARE], 400),
        ([SQUARE[::-1]], 400),  # the other way round
        ([SQUARE, [0, 0, 4, 0, 0, 3]], 406),
        ([[0, 0, 4, 0]], 0),
        ([], 0),
        ({'counts': [1, 2], 'size': [3, 1]}, 0),
        ([['a']], 0),
        (None, 0),
    ],
)
def test_polygons(segmentation, area):
    assert polygon_area(segmentation) == area
