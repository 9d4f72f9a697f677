"""Files that a program wrote are removed before its next run, and nobody else's."""

import json

import pytest

from mmtranspose.errors import InputError
from mmtranspose.files.written_files import WrittenFiles


def written(root):
    return WrittenFiles(root, root / 'parts' / 'written.json')


def test_files_of_a_run_that_was_interrupted_are_removed(tmp_path):
    first = written(tmp_path)
    for name in ('a.csv', 'pages/1.html', 'both/2.html'):
        path = first.path(name)
        path.parent.mkdir(exist_ok=True)
        path.touch()
    first.path('never.csv')  # stopped here
    for name in ('mine.csv', 'both/mine.html', 'last.json'):
        (tmp_path / name).touch()
    second = written(tmp_path)
    second.remove(first=('last.json',))
    assert {path.name for path in tmp_path.rglob('*')} == {'mine.csv', 'both', 'mine.html', 'parts', 'written.json'}
    (tmp_path / 'a.csv').touch()
    written(tmp_path).remove()
    assert (tmp_path / 'a.csv').exists()  # not of ours any more


@pytest.mark.parametrize('name', ['../outside', 'x/../../outside', '/outside', 7])
def test_notes_name_nothing_outside(tmp_path, name):
    (tmp_path / 'root' / 'parts').mkdir(parents=True)
    (tmp_path / 'outside').touch()
    named = str(tmp_path / 'outside') if name == '/outside' else name
    (tmp_path / 'root' / 'parts' / 'written.json').write_text(json.dumps([named]))
    written(tmp_path / 'root').remove()
    assert (tmp_path / 'outside').exists()


def test_a_damaged_note(tmp_path):
    (tmp_path / 'parts').mkdir()
    (tmp_path / 'parts' / 'written.json').write_text('["a.csv')
    with pytest.raises(InputError, match='written.json is not JSON: .*; delete it, and what earlier runs wrote in '):
        written(tmp_path)
