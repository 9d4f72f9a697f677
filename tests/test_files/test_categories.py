"""Which categories people carry, and which boxes of a detector are theirs."""

import pytest

from mmtranspose.errors import InputError
from mmtranspose.files.coco_format import carried_categories, person_boxes


def annotations(*ids, keypoints=(1, 2, 2)):
    return dict(annotations=[dict(category_id=id, keypoints=list(keypoints)) for id in ids])


@pytest.mark.parametrize(
    ('content', 'expected'),
    [
        ({}, []),
        (dict(annotations=None), []),
        (dict(annotations=[3, None, {}]), []),
        (annotations(9, 9, 2), [9, 2]),
        (annotations('person', 2, 'person'), ['person', 2]),
        (annotations(True, None, [1], 4), [4]),
        (annotations(3, 3, keypoints=()), [3]),  # where nobody has keypoints, boxes count
        (dict(annotations=[*annotations(3, 3, keypoints=())['annotations'], *annotations(7)['annotations']]), [7]),
    ],
)
def test_carried(content, expected):
    assert carried_categories(content) == expected


def boxes(*ids):
    return [dict(category_id=id, score=k) for k, id in enumerate(ids)]


@pytest.mark.parametrize(
    ('found', 'carried', 'kept', 'category', 'left_out'),
    [
        ((1, 1), (1,), [0, 1], 1, ''),
        ((1, 3, 3), (1,), [0], 1, '2 of 3 boxes are of other categories (3: 2)'),
        ((1, 1), (9,), [0, 1], 9, ''),  # a detector's
        ((9, 1), (9,), [0], 9, '1 of 2 boxes are of other categories (1: 1)'),
        ((0,), (0,), [0], 0, ''),
        (('person', 1), ('person',), [0], 'person', '1 of 2 boxes are of other categories (1: 1)'),
        ((1,), (), [0], 1, ''),  # COCO's test-dev has no annotations
        ((), (9,), [], None, ''),
    ],
)
def test_boxes_of_people(found, carried, kept, category, left_out):
    chosen = person_boxes(boxes(*found), annotations(*carried), 'boxes.json')
    assert [one['score'] for one in chosen.boxes] == kept and chosen.left_out == left_out
    assert {one['category_id'] for one in chosen.boxes} == ({category} if kept else set())


def test_several_categories_of_people():
    chosen = person_boxes(boxes(2, 5, 7), annotations(2, 7), 'boxes.json')
    assert [one['category_id'] for one in chosen.boxes] == [2, 7]
    with pytest.raises(InputError, match='boxes.json: none of its 1 boxes is of category_id 2, 7, .*; it has 1: 1'):
        person_boxes(boxes(1), annotations(2, 7), 'boxes.json')
