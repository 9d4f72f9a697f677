"""Arrays kept part by part."""

import numpy as np
import pytest

from mmtranspose.errors import InputError
from mmtranspose.files import resumable_arrays
from mmtranspose.files.resumable_arrays import Parts


def squares(number):
    return dict(values=np.arange(3) + 10 * number, square=np.array([number**2]))


def test_parts_are_joined_in_their_order(tmp_path):
    parts = Parts(tmp_path / 'parts', dict(seed=1), 3)
    parts.fill(squares)
    found = parts.read()
    assert found['values'].tolist() == [0, 1, 2, 10, 11, 12, 20, 21, 22] and found['square'].tolist() == [0, 1, 4]
    assert parts.missing() == []


def test_a_second_run_computes_what_is_missing(tmp_path):
    parts, asked = Parts(tmp_path, dict(seed=1), 4), []
    parts.fill(squares, share=[1, 3, 0, 2])
    parts.path(2).unlink()
    again = Parts(tmp_path, dict(seed=1), 4)
    again.fill(lambda number: asked.append(number) or squares(number))
    assert asked == [2] and again.read()['square'].tolist() == [0, 1, 4, 9]


@pytest.mark.parametrize(('rank', 'share'), [(0, [0, 2, 4]), (1, [1, 3])])
def test_processes_share_the_parts(tmp_path, monkeypatch, rank, share):
    monkeypatch.setattr(resumable_arrays, 'get_world_size', lambda: 2)
    monkeypatch.setattr(resumable_arrays, 'get_rank', lambda: rank)
    assert Parts(tmp_path, {}, 5).share() == share


@pytest.mark.parametrize(
    ('made_by', 'words'),
    [
        (
            dict(seed=2, model='a'),
            'results with seed=1, now 2: give another --out, go on with what was given before',
        ),
        (dict(model='a'), 'results with seed=1, now None'),
        (dict(seed=1, model='a', width=3), 'results with width=None, now 3'),
    ],
)
def test_arrays_of_something_else_are_refused(tmp_path, made_by, words):
    Parts(tmp_path, dict(seed=1, model='a'), 2)
    with pytest.raises(InputError, match=f'{tmp_path} holds {words}'):
        Parts(tmp_path, made_by, 2, option='--out')


def test_a_damaged_part_is_named(tmp_path):
    parts = Parts(tmp_path, {}, 4)
    parts.fill(squares)
    for number in (1, 3):
        parts.path(number).write_bytes(parts.path(number).read_bytes()[:40])
    with pytest.raises(InputError) as error:
        parts.read()
    words = [f'{parts.path(number)} is damaged (File is not a zip file); delete it and run again' for number in (1, 3)]
    assert str(error.value).splitlines() == words


@pytest.mark.parametrize(('content', 'words'), [('{"seed": ', 'is not JSON: .*'), ('[]', 'holds a list, .*')])
def test_a_damaged_note(tmp_path, content, words):
    (tmp_path / 'made_by.json').write_text(content)
    with pytest.raises(InputError, match=f'note .*made_by.json {words}; delete the folder {tmp_path} and run again'):
        Parts(tmp_path, dict(seed=1), 2)
