"""Partial files: those of living writers stay, those of killed ones go; checkpoints are read back from disk."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from mmengine.fileio import LocalBackend

from mmtranspose.compat import partial_files
from mmtranspose.compat.partial_files import PartialFile, partial_file, remove_abandoned_partials
from mmtranspose.files.json_files import JsonListFile

WRITER = """
import importlib.util, sys, time
spec = importlib.util.spec_from_file_location('partial_files', sys.argv[1])
partial_files = importlib.util.module_from_spec(spec)
spec.loader.exec_module(partial_files)
with partial_files.partial_file(sys.argv[2]) as partial, open(partial, 'wb') as file:
    file.write(b'half of a checkpoint')
    file.flush()
    print('writing', flush=True)
    time.sleep(60)
"""


@pytest.fixture
def writer(tmp_path):
    """Another process, in the middle of writing ``a.pth``; killed in the end."""
    arguments = [sys.executable, '-c', WRITER, partial_files.__file__, str(tmp_path / 'a.pth')]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == 'writing\n'
        yield process
        process.kill()


def test_partials_of_the_living_stay_and_those_of_the_killed_go(tmp_path, writer):
    (tmp_path / 'a.pth').write_bytes(b'old')
    partial = tmp_path / f'a.pth.{writer.pid}.partial'
    assert partial.read_bytes() == b'half of a checkpoint'
    assert remove_abandoned_partials(tmp_path) == [] and partial.exists()
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    assert partial.exists()
    assert remove_abandoned_partials(tmp_path) == [partial]
    assert os.listdir(tmp_path) == ['a.pth'] and (tmp_path / 'a.pth').read_bytes() == b'old'


def test_which_files_go(tmp_path):
    (tmp_path / 'folder').mkdir()
    kept = ['a.pth', 'a.partial', 'a.pth.x.partial', '.1.partial', 'folder/c.pth.7.partial', 'a.pth.1.partial.old']
    for name in [*kept, 'b.pth.4711.partial', 'b.json.12.partial']:  # of an earlier version: never locked
        (tmp_path / name).touch()
    (tmp_path / 'link.pth.5.partial').symlink_to('a.pth')
    (tmp_path / 'folder.6.partial').mkdir()
    assert [path.name for path in remove_abandoned_partials(tmp_path)] == ['b.json.12.partial', 'b.pth.4711.partial']
    assert all((tmp_path / name).exists() for name in [*kept, 'link.pth.5.partial', 'folder.6.partial'])
    assert remove_abandoned_partials(tmp_path / 'none') == []


@pytest.mark.parametrize('how', ['partial_file', 'JsonListFile', 'LocalBackend'])
def test_every_writer_holds_the_lock(tmp_path, monkeypatch, how):
    left = []

    def look(*paths):
        left.append((remove_abandoned_partials(tmp_path), len(list(tmp_path.glob('*.partial')))))
        return replace(*paths)

    replace = os.replace
    monkeypatch.setattr(os, 'replace', look)
    if how == 'partial_file':
        with partial_file(tmp_path / 'a.txt') as partial:
            partial.write_text('a')
    elif how == 'JsonListFile':
        JsonListFile(tmp_path / 'a.json').close()
    else:
        LocalBackend().put(b'a', tmp_path / 'a.pth')
    assert left == [([], 1)] and remove_abandoned_partials(tmp_path) == []
    assert len(os.listdir(tmp_path)) == 1


def test_a_file_removed_before_it_was_locked_is_made_again(tmp_path, monkeypatch):
    file, flock, calls = PartialFile(tmp_path / 'a.txt'), fcntl.flock, []

    def late(descriptor, operation):
        calls.append(operation)
        if len(calls) == 1:
            file.partial.unlink()
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, 'flock', late)
    file.create().write_text('a')
    file.complete()
    assert os.listdir(tmp_path) == ['a.txt'] and (tmp_path / 'a.txt').read_text() == 'a' and len(calls) == 3


@pytest.mark.parametrize('error', [BlockingIOError(), OSError(errno.ENOLCK, 'no locks')])
def test_without_the_lock_files_are_still_written(tmp_path, monkeypatch, error):
    def refuse(descriptor, operation):
        raise error

    monkeypatch.setattr(fcntl, 'flock', refuse)
    monkeypatch.setattr(partial_files, 'PATIENCE', 0.02)
    with partial_file(tmp_path / 'a.txt') as partial:
        partial.write_text('a')
        assert remove_abandoned_partials(tmp_path) == []
    assert (tmp_path / 'a.txt').read_text() == 'a'


def test_the_order_of_a_checkpoints_steps(tmp_path, monkeypatch):
    steps = []
    for name in ('fsync', 'posix_fadvise', 'replace'):
        original = getattr(os, name)

        def watched(*arguments, name=name, original=original):
            target = arguments[0] if name == 'replace' else os.readlink(f'/proc/self/fd/{arguments[0]}')
            steps.append((name, Path(target).name))
            return original(*arguments)

        monkeypatch.setattr(os, name, watched)
    partial = f'a.pth.{os.getpid()}.partial'
    LocalBackend().put(b'weights', tmp_path / 'a.pth')
    assert steps == [('fsync', partial), ('posix_fadvise', partial), ('replace', partial), ('fsync', tmp_path.name)]
    steps.clear()
    LocalBackend().put(b'numbers', tmp_path / 'a.npz')
    LocalBackend().put_text('{}', tmp_path / 'a.json')
    assert [name for name, _ in steps] == ['replace', 'replace']


@pytest.mark.parametrize('damage', ['flip', 'shorter', 'longer'])
@pytest.mark.parametrize('name', ['epoch_2.pth', 'A.PT', 'a.safetensors'])
def test_a_disk_that_returns_other_bytes(tmp_path, monkeypatch, damage, name):
    content, path = os.urandom((2 << 20) + 3), tmp_path / name
    path.write_bytes(b'old')
    damaged = {
        'flip': content[:-9] + bytes([content[-9] ^ 16]) + content[-8:],
        'shorter': content[:-1],
        'longer': content + b'x',
    }
    fsync = os.fsync

    def lose(descriptor):
        (file,) = tmp_path.glob('*.partial')
        file.write_bytes(damaged[damage])
        fsync(descriptor)

    monkeypatch.setattr(os, 'fsync', lose)
    with pytest.raises(OSError, match='the disk returned other bytes than were written') as caught:
        LocalBackend().put(content, path)
    assert caught.value.filename == str(path) and path.read_bytes() == b'old' and os.listdir(tmp_path) == [name]


@pytest.mark.parametrize('length', [0, 1, 1 << 20, (1 << 20) + 1])
def test_what_the_disk_returns_is_compared_whole(tmp_path, length):
    content = os.urandom(length)
    LocalBackend().put(content, tmp_path / 'a.pth')
    assert (tmp_path / 'a.pth').read_bytes() == content


def test_a_folder_that_cannot_be_flushed(tmp_path, monkeypatch):
    fsync = os.fsync

    def refuse(descriptor):
        if os.readlink(f'/proc/self/fd/{descriptor}') == str(tmp_path):
            raise OSError(failure, 'no fsync')
        fsync(descriptor)

    monkeypatch.setattr(os, 'fsync', refuse)
    failure = errno.EINVAL  # this file system cannot
    LocalBackend().put(b'a', tmp_path / 'a.pth')
    failure = errno.EIO
    with pytest.raises(OSError, match='no fsync'):
        LocalBackend().put(b'a', tmp_path / 'a.pth')


@pytest.mark.parametrize('name', ['pipe', '/dev/fd/{}', '/proc/self/fd/{}', 'link'])
def test_what_is_no_file_is_written_to_as_it_is(tmp_path, name):
    os.mkfifo(tmp_path / 'pipe')
    with open(tmp_path / 'output', 'w+') as output, open(tmp_path / 'pipe', 'r+b', buffering=0) as pipe:
        (tmp_path / 'link').symlink_to(f'/proc/self/fd/{output.fileno()}')  # like /dev/stdout
        path = tmp_path / name.format(output.fileno())
        kind = path.lstat().st_mode
        with partial_file(path) as partial:
            partial.write_text('whole')
        assert path.lstat().st_mode == kind and sorted(os.listdir(tmp_path)) == ['link', 'output', 'pipe']
        assert (pipe.read(5) if name == 'pipe' else output.read().encode()) == b'whole'
