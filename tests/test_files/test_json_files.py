"""JSON files: read with errors that name them, written whole or not at all."""

import json
import os

import numpy as np
import pytest

from mmtranspose.errors import InputError
from mmtranspose.files.json_files import JsonListFile, read_json, write_json


def test_read_json(tmp_path):
    path = tmp_path / 'a.json'
    path.write_text('{"ä": [1, null]}', encoding='utf-8')
    assert read_json(path, 'file') == {'ä': [1, None]}
    for text in ('[' * 100_000, '1' * 5000):  # too deep and too long for Python's reader
        path.write_text(text)
        with pytest.raises(InputError, match=f'recipe {path} is not JSON: '):
            read_json(path, 'recipe')
    with pytest.raises(InputError, match=f'recipe {tmp_path} is not JSON|recipe {tmp_path} .*directory'):
        read_json(tmp_path, 'recipe')


def test_numbers_of_numpy(tmp_path):
    write_json(tmp_path / 'a.json', {'numbers': [np.float32(0.5), np.int64(3)]})
    assert json.loads((tmp_path / 'a.json').read_text()) == {'numbers': [0.5, 3]}
    assert os.listdir(tmp_path) == ['a.json']


@pytest.mark.parametrize('flushed', [False, True])
def test_flushed_to_the_disk(tmp_path, monkeypatch, flushed):
    calls, fsync = [], os.fsync
    monkeypatch.setattr(os, 'fsync', lambda one: calls.append(one) or fsync(one))
    write_json(tmp_path / 'a.json', ['ä'], flushed)
    assert read_json(tmp_path / 'a.json', 'file') == ['ä'] and len(calls) == 2 * flushed  # the file and its folder


def test_a_value_that_json_has_not_leaves_the_old_file(tmp_path):
    (tmp_path / 'a.json').write_text('old')
    with pytest.raises((TypeError, ValueError)):
        write_json(tmp_path / 'a.json', {'a': object()})
    assert (tmp_path / 'a.json').read_text() == 'old' and os.listdir(tmp_path) == ['a.json']


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    (tmp_path / 'a.json').write_text('old')

    def fail(source, destination):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(os, 'replace', fail)
    with pytest.raises(OSError, match='No space left'):
        write_json(tmp_path / 'a.json', {'a': [1.5, 2]})
    assert (tmp_path / 'a.json').read_text() == 'old' and os.listdir(tmp_path) == ['a.json']


class TestJsonListFile:
    @pytest.mark.parametrize('entries', [[], [{'a': 1}], [[1, 2], 'b', {'c': np.float32(0.5)}]])
    def test_is_json(self, tmp_path, entries):
        file = JsonListFile(tmp_path / 'deep' / 'a.json', '{"x": 1, "list": [', ']}')
        for entry in entries:
            file.write(entry)
        assert not (tmp_path / 'deep' / 'a.json').exists()
        file.close()
        file.close()
        assert json.loads((tmp_path / 'deep' / 'a.json').read_text()) == {'x': 1, 'list': entries}
        assert os.listdir(tmp_path / 'deep') == ['a.json']

    def test_entries_are_not_kept(self, tmp_path):
        file = JsonListFile(tmp_path / 'a.json')
        for _ in range(2000):
            file.write('x' * 100)
        partial = next(tmp_path.iterdir())
        assert partial.name == f'a.json.{os.getpid()}.partial' and partial.stat().st_size > 180_000
        file.close()

    def test_a_file_that_cannot_be_made_is_named(self, tmp_path):
        (tmp_path / 'out').write_text('')
        with pytest.raises(OSError, match='a.json') as error:
            JsonListFile(tmp_path / 'out' / 'a.json')
        assert error.value.filename == str(tmp_path / 'out' / 'a.json')
