"""Units of work: which inputs are together, how they are read, and stages that do not mix them."""

import itertools
from types import SimpleNamespace

import pytest

from mmtranspose.inference.work_units import UnitEnd, WorkUnit, each_unit, in_units, source_of, work_units
from mmtranspose.media import Source


class Input(SimpleNamespace):
    """An image, or a video of three frames where its name is in capitals."""

    live = False

    @property
    def moving(self):
        return self.name.isupper()

    @property
    def length(self):
        return 3 if self.moving else 1

    def read(self, image_numbers):
        if self.moving:
            yield from (f'{self.name}{number}' for number in range(3))
        else:
            yield f'{self.name}{next(image_numbers)}'

    def close(self):
        self.closed = True


def inputs(names):
    return [Input(name=name) for name in names]


@pytest.mark.parametrize(
    ('names', 'size', 'expected'),
    [
        ('', 2, []),
        ('a', 2, ['a']),
        ('abcde', 2, ['ab', 'cd', 'e']),
        ('abcde', None, ['abcde']),
        ('abcAdBCe', 2, ['ab', 'c', 'A', 'd', 'B', 'C', 'e']),
        ('AAab', None, ['A', 'A', 'ab']),
    ],
)
def test_which_inputs_are_together(names, size, expected):
    units = work_units(inputs(names), size)
    assert [''.join(one.name for one in unit.inputs) for unit in units] == expected
    assert [unit.number for unit in units] == list(range(len(expected)))


def test_ends_follow_the_frames_of_their_unit():
    source = in_units(Source(inputs('abcAd')), 2)
    assert list(source) == ['a0', 'b1', UnitEnd(0), 'c2', UnitEnd(1), 'A0', 'A1', 'A2', UnitEnd(2), 'd3', UnitEnd(3)]
    assert source.length == 7 and source.moving


def test_units_that_are_passed_over_count():
    units = work_units(inputs('abcAde'), 2)
    for unit in units:
        unit.passed_over = unit.number in (0, 2)
    source = source_of(units)
    assert source.length == 3
    assert list(source) == ['c2', UnitEnd(1), 'd3', 'e4', UnitEnd(3)]


def test_a_camera_makes_no_units():
    source = Source([SimpleNamespace(live=True)])
    assert in_units(source, 2) is source


def test_closing_closes_the_inputs():
    given = inputs('aB')
    in_units(Source(given), 2).close()
    assert all(one.closed for one in given)
    assert WorkUnit(0, given).length == 4


def test_each_unit_has_a_stage_of_its_own():
    def pairs(items):
        while pair := list(itertools.islice(items, 2)):
            yield ''.join(pair)

    items = [*'abc', UnitEnd(0), UnitEnd(1), *'de', UnitEnd(2)]
    assert list(each_unit(items, pairs)) == ['ab', 'c', UnitEnd(0), UnitEnd(1), 'de', UnitEnd(2)]
    assert list(each_unit('abc', pairs)) == ['ab', 'c']
    assert list(each_unit([], pairs)) == []


def test_an_error_comes_after_what_was_before_it():
    def items():
        yield 'a'
        yield UnitEnd(0)
        raise ValueError('no more')

    found = each_unit(items(), lambda unit: (item * 2 for item in unit))
    assert [next(found), next(found)] == ['aa', UnitEnd(0)]
    with pytest.raises(ValueError, match='no more'):
        next(found)
