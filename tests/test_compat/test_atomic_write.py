"""Files written through mmengine's local backend are whole or not there."""

import os

import mmengine
import pytest
import torch
from mmengine.fileio import LocalBackend
from mmengine.runner.checkpoint import save_checkpoint

from mmtranspose.compat import atomic_write
from mmtranspose.compat.patching import REPLACED_BY


@pytest.fixture
def backend():
    return LocalBackend()


def test_what_is_written_arrives(backend, tmp_path):
    backend.put(b'\x00weights', tmp_path / 'new' / 'a.pth')
    backend.put_text('größe', str(tmp_path / 'a.txt'))
    backend.put_text('größe', tmp_path / 'b.txt', encoding='latin-1')
    assert (tmp_path / 'new' / 'a.pth').read_bytes() == b'\x00weights'
    assert (tmp_path / 'a.txt').read_text(encoding='utf-8') == 'größe'
    assert (tmp_path / 'b.txt').read_bytes() == 'größe'.encode('latin-1')
    assert sorted(entry.name for entry in tmp_path.rglob('*')) == ['a.pth', 'a.txt', 'b.txt', 'new']


@pytest.mark.parametrize(
    ('method', 'content', 'error'),
    [('put', 'not bytes: fails once the file is open', TypeError), ('put_text', 'fails: \ud800', UnicodeEncodeError)],
)
def test_a_failing_write_leaves_the_old_file(backend, tmp_path, method, content, error):
    target = tmp_path / 'a.pth'
    target.write_bytes(b'old')
    with pytest.raises(error):
        getattr(backend, method)(content, target)
    assert target.read_bytes() == b'old'
    assert os.listdir(tmp_path) == ['a.pth']


@pytest.mark.parametrize('method', ['put', 'put_text'])
def test_a_failing_first_write_leaves_nothing(backend, tmp_path, method):
    with pytest.raises(TypeError):
        getattr(backend, method)(None, tmp_path / 'a.pth')
    assert os.listdir(tmp_path) == []


def test_a_full_disk_leaves_the_old_file(backend, tmp_path, monkeypatch):
    target = tmp_path / 'a.pth'
    target.write_bytes(b'old')
    write = atomic_write._writing_beside(write_half_then_fail)
    with pytest.raises(OSError, match='No space left'):
        write(backend, b'new content', target)
    assert target.read_bytes() == b'old'
    assert os.listdir(tmp_path) == ['a.pth']


def write_half_then_fail(self, content, path):
    path.write_bytes(content[: len(content) // 2])
    raise OSError(28, 'No space left on device')


def test_the_new_file_is_whole_when_it_takes_the_name(backend, tmp_path, monkeypatch):
    target = tmp_path / 'a.pth'
    target.write_bytes(b'old')
    seen, replace = [], os.replace

    def watched(source, destination):
        with open(source, 'rb') as file:
            seen.append((file.read(), target.read_bytes()))
        replace(source, destination)

    monkeypatch.setattr(os, 'replace', watched)
    backend.put(b'new', target)
    assert seen == [(b'new', b'old')]
    assert target.read_bytes() == b'new'


def test_checkpoints_and_dumps_go_this_way(tmp_path, monkeypatch):
    renamed, replace = [], os.replace
    monkeypatch.setattr(os, 'replace', lambda a, b: (renamed.append(os.path.basename(b)), replace(a, b)))
    save_checkpoint({'state_dict': {'weight': torch.ones(2)}}, str(tmp_path / 'epoch_1.pth'))
    mmengine.dump({'AP': 0.5}, tmp_path / 'metrics.json')
    assert renamed == ['epoch_1.pth', 'metrics.json']
    assert torch.load(tmp_path / 'epoch_1.pth')['state_dict']['weight'].tolist() == [1, 1]
    assert mmengine.load(tmp_path / 'metrics.json') == {'AP': 0.5}


def test_applied_once_only():
    before = LocalBackend.put, LocalBackend.put_text
    atomic_write.apply()
    assert (LocalBackend.put, LocalBackend.put_text) == before
    assert all(hasattr(method, REPLACED_BY) for method in before)
