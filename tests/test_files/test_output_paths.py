"""Output files: refused before any work, and whole or not there."""

import errno
import os

import pytest

from mmtranspose.errors import InputError
from mmtranspose.files.output_paths import partial_file, require_output_file, require_writable


def test_a_file_gets_its_name_when_it_is_whole(tmp_path):
    path = tmp_path / 'new' / 'a.txt'
    with partial_file(path) as partial:
        partial.write_text('whole')
        assert os.listdir(path.parent) == [f'a.txt.{os.getpid()}.partial'] == [partial.name]
    assert path.read_text() == 'whole' and os.listdir(path.parent) == ['a.txt']


@pytest.mark.parametrize('error', [OSError(errno.ENOSPC, 'No space left on device'), KeyboardInterrupt(), ValueError()])
def test_after_an_error_the_old_file_is_there(tmp_path, error):
    path = tmp_path / 'a.txt'
    path.write_text('old')

    def fail():
        with partial_file(path) as partial:
            partial.write_text('ha')
            raise error

    with pytest.raises(type(error)):
        fail()
    assert path.read_text() == 'old' and os.listdir(tmp_path) == ['a.txt']
    assert getattr(error, 'filename', str(path)) == str(path)  # a full disk names no file


def test_a_name_that_is_too_long_for_the_partial_file(tmp_path):
    path = tmp_path / ('n' * 250)

    def write():
        with partial_file(path) as partial:
            partial.write_text('ha')

    with pytest.raises(OSError, match='too long') as error:
        write()
    assert error.value.filename == str(path) and os.listdir(tmp_path) == []


@pytest.mark.parametrize(('name', 'words'), [('folder', 'is a folder; name a file'), ('link.txt', 'would overwrite')])
def test_require_output_file(tmp_path, name, words):
    (tmp_path / 'folder').mkdir()
    (tmp_path / 'read.txt').touch()
    (tmp_path / 'link.txt').symlink_to('read.txt')
    require_output_file(tmp_path / 'other.txt', '--out', [tmp_path / 'read.txt'])
    with pytest.raises(InputError, match=f'--out {tmp_path / name} {words}'):
        require_output_file(tmp_path / name, '--out', [tmp_path / 'read.txt'])


def test_a_folder_to_be_made_is_told_once(tmp_path, capsys):
    (tmp_path / 'results').mkdir()
    require_output_file(tmp_path / 'results' / 'a.json', '--out', [])
    assert capsys.readouterr().err == ''
    for name in ('a.json', 'b.json'):
        require_output_file(tmp_path / 'reslts' / name, '--out', [])
    path = tmp_path / 'reslts' / 'a.json'
    words = f'note: --out {path}: the folder {path.parent} is not there, and will be made\n'
    assert capsys.readouterr().err == words
    assert os.listdir(tmp_path) == ['results']


def test_require_writable(tmp_path, monkeypatch):
    require_writable(tmp_path / 'not' / 'there' / 'yet')
    assert os.listdir(tmp_path) == []
    (tmp_path / 'file').touch()
    with pytest.raises(InputError, match=f'{tmp_path / "file"} is a file, not a folder'):
        require_writable(tmp_path / 'file' / 'out')

    def refuse(path, *_):  # as /proc does, though its mode lets root write
        raise OSError(errno.ENOENT, 'No such file', path)

    monkeypatch.setattr(os, 'mkdir', refuse)
    words = rf'--output-root {tmp_path / "out"}: {tmp_path} cannot be written to \(No such file\); choose another'
    with pytest.raises(InputError, match=words):
        require_writable(tmp_path / 'out')
