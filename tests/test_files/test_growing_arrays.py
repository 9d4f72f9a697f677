"""Arrays of the first items of a list, whose number grows and shrinks."""

import numpy as np
import pytest

from mmtranspose.files.growing_arrays import GrowingParts, JointParts, short_hash, stretches


def grown(root, items, size=3, asked=None):
    """Parts whose values are ten times the item's number; ``asked`` gets the items that are computed."""
    parts = GrowingParts(root, dict(seed=1), items, size, sums=True)

    def compute(number):
        start, stop, _ = parts.stretches[number]
        numbers = np.arange(start, stop)
        if asked is not None:
            asked.extend(numbers.tolist())
        return dict(sums=10 * numbers.sum()) if parts.is_whole(number) else dict(values=10 * numbers)

    parts.fill(compute)
    return parts


def total(parts):
    return sum(int(part['sums'] if 'sums' in part else part['values'].sum()) for part in parts.read_each())


@pytest.mark.parametrize(
    ('found', 'items', 'expected'),
    [
        ([], 7, [(0, 3, 3), (3, 6, 6), (6, 7, 7)]),
        ([(0, 2)], 7, [(0, 2, 2), (2, 3, 3), (3, 6, 6), (6, 7, 7)]),  # the new part ends at a multiple of the size
        ([(0, 2)], 1, [(0, 1, 2)]),  # no whole part: its first row
        ([(0, 3)], 2, [(0, 2, 2)]),  # a whole part may hold sums, and is not divided
        ([(0, 3), (3, 5)], 4, [(0, 3, 3), (3, 4, 5)]),
        ([(0, 2), (0, 3)], 3, [(0, 3, 3)]),
        ([(0, 2), (0, 3)], 2, [(0, 2, 2)]),
        ([(4, 5)], 6, [(0, 3, 3), (3, 4, 4), (4, 5, 5), (5, 6, 6)]),  # a new part ends before one that is there
        ([(0, 1), (0, 2)], 1, [(0, 1, 1)]),
        ([(3, 6)], 0, []),
    ],
)
def test_stretches_by_hand(found, items, expected):
    assert stretches(found, items, 3, sums=True) == expected


def test_whole_parts_without_sums_are_divided():
    assert stretches([(0, 3)], 2, 3) == [(0, 2, 3)]
    assert stretches([(0, 3), (3, 6)], 4, 3) == [(0, 3, 3), (3, 4, 6)]


def test_stretches_stay_while_parts_are_made():
    """Processes that look at different moments see the same parts, whatever is there already."""
    rng = np.random.default_rng(0)
    for _ in range(60):
        size, items = rng.integers(1, 6, 2) * (1, 5)
        found = [(int(start), int(start + rng.integers(1, size + 1))) for start in rng.integers(0, 20, 4)]
        sums = bool(rng.integers(2))
        first = stretches(found, items, size, sums)
        assert [one.start for one in first[1:]] + [items] == [one.stop for one in first]
        made = [(one.start, one.end) for one in first if rng.random() < 0.5]
        assert stretches(found + made, items, size, sums) == first


def test_more_items_are_added_and_fewer_are_read(tmp_path):
    asked = []
    assert total(grown(tmp_path, 4, asked=asked)) == 60 and asked == [0, 1, 2, 3]
    parts = grown(tmp_path, 8, asked=asked)
    assert total(parts) == 280 and asked == list(range(8)) and parts.items_found == 8
    for items in (6, 7, 4, 3, 8):
        assert total(grown(tmp_path, items, asked=asked)) == 10 * sum(range(items))
    assert asked == list(range(8))
    assert total(grown(tmp_path, 2, asked=asked)) == 10 and asked == [*range(8), 0, 1]  # sums cannot be divided
    assert total(grown(tmp_path, 8, asked=asked)) == 280 and len(asked) == 10


def test_read_joins_the_items_asked_for(tmp_path):
    rows = np.arange(24.0).reshape(8, 3)
    parts = GrowingParts(tmp_path, dict(seed=1), 8, 3)
    parts.fill(lambda number: dict(rows=rows[slice(*parts.stretches[number][:2])].astype(np.float16)))
    for items in (8, 7, 3, 2):
        fewer = GrowingParts(tmp_path, dict(seed=1), items, 3)
        assert fewer.missing() == []
        found = fewer.read()['rows']
        assert found.dtype == np.float16 and found.tolist() == rows[:items].tolist()
    assert GrowingParts(tmp_path / 'none', dict(seed=1), 0, 3).read() == {}


def test_items_found(tmp_path):
    grown(tmp_path, 5)
    assert GrowingParts(tmp_path, dict(seed=1), 20, 3).items_found == 5
    assert GrowingParts(tmp_path, dict(seed=1), 4, 3).items_found == 4
    (tmp_path / '000000-000003.npz').unlink()
    assert GrowingParts(tmp_path, dict(seed=1), 5, 3).items_found == 2


def test_kinds_that_are_measured_together(tmp_path):
    kinds = {name: GrowingParts(tmp_path / name, dict(kind=name), 3) for name in ('a', 'b')}
    kinds['b'].write(1, dict(values=np.array([7])))
    joint, asked = JointParts(kinds), []
    assert joint.count == 3 and joint.missing() == [0, 1, 2] and joint.lacking(1) == ['a']

    def measure(number):
        asked.append((number, joint.lacking(number)))
        return {name: dict(values=np.array([number])) for name in joint.lacking(number)}

    joint.fill(measure)
    assert asked == [(0, ['a', 'b']), (1, ['a']), (2, ['a', 'b'])] and joint.missing() == []
    assert kinds['a'].read()['values'].tolist() == [0, 1, 2] and kinds['b'].read()['values'].tolist() == [0, 7, 2]
    assert JointParts({}).count == 0 and JointParts({}).missing() == []


def test_hashes_do_not_depend_on_the_order():
    assert short_hash(dict(a=1, b=[2])) == short_hash(dict(b=[2], a=1)) != short_hash(dict(a=1, b=[3]))
