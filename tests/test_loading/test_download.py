"""Weights from the web: whole, as published and where torch keeps them, or one sentence and nothing left."""

import errno
import hashlib
import io
import os
import pickle
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch
from conftest import ROOT
from mmengine.runner.checkpoint import CheckpointLoader
from safetensors.torch import save_file
from weights_server import send, weights_server

from mmtranspose.apis import init_model
from mmtranspose.errors import InputError
from mmtranspose.loading import download, zoo
from mmtranspose.loading.checkpoint import Checkpoint
from mmtranspose.loading.config import load_config
from mmtranspose.loading.download import NotFetched, cached_path, fetched, hash_in_name

WEIGHTS = {'w': torch.arange(5000.0)}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """Where torch keeps files; its folder is not there yet."""
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'torch'))
    monkeypatch.setenv('no_proxy', '127.0.0.1')
    return tmp_path / 'torch' / 'hub' / 'checkpoints'


@pytest.fixture
def server():
    with weights_server() as server:
        yield server


@pytest.fixture
def content():
    buffer = io.BytesIO()
    torch.save(WEIGHTS, buffer)
    return buffer.getvalue()


@pytest.fixture
def url(server, content, tmp_path):
    (tmp_path / 'a.pth').write_bytes(content)
    return server.add(tmp_path / 'a.pth')


def files_of(cache) -> list[str]:
    return sorted(path.name for path in cache.iterdir()) if cache.is_dir() else []


class TestFetched:
    def test_once_and_said(self, url, server, cache, content, monkeypatch):
        said = []
        monkeypatch.setattr(download, 'print_log', lambda words, logger: said.append(words))
        path = fetched(url)
        assert path == cache / 'a.pth' and path.read_bytes() == content
        assert fetched(url) == path and server.asked == ['a.pth']
        assert said == [f'fetched {url} to {path} (0.0 MB)', f'{url}: taken from {path}']
        assert torch.equal(Checkpoint.read(url).weights['w'], WEIGHTS['w']) and server.asked == ['a.pth']

    def test_mmengine_and_torch_find_it(self, url, server):
        fetched(url)
        assert torch.equal(torch.hub.load_state_dict_from_url(url, progress=False)['w'], WEIGHTS['w'])
        assert server.asked == ['a.pth']

    def test_progress(self, url, capsys):
        fetched(url)
        assert re.search(r'a\.pth: 100%', capsys.readouterr().err)

    def test_safetensors(self, server, tmp_path, cache):
        save_file(WEIGHTS, tmp_path / 'a.safetensors')
        url = server.add(tmp_path / 'a.safetensors')
        by_mmengine = CheckpointLoader.load_checkpoint(url, map_location='cpu')  # as a run loads it
        assert torch.equal(by_mmengine['w'], WEIGHTS['w'])
        assert torch.equal(Checkpoint.read(url).weights['w'], WEIGHTS['w'])
        server.answers['b.safetensors'] = lambda to: send(to, (tmp_path / 'a.safetensors').read_bytes()[:-9])
        with pytest.raises(InputError, match='b.safetensors cannot be downloaded: what arrived cannot be read'):
            fetched(f'{server.url}/b.safetensors')

    def test_file_put_there_by_hand(self, cache, content):
        cache.mkdir(parents=True)
        (cache / 'name-00000000.pth').write_bytes(content)  # whoever put it there stands for it
        read = Checkpoint.read('https://nowhere.invalid/name-00000000.pth')
        assert torch.equal(read.weights['w'], WEIGHTS['w'])

    def test_query_is_not_in_the_name(self, url, cache):
        assert fetched(f'{url}?download=1') == cache / 'a.pth'

    @pytest.mark.parametrize('url', ['http://127.0.0.1/', 'http://127.0.0.1', 'http://127.0.0.1/..', 'http://h/a%00b'])
    def test_url_without_a_file(self, url):
        with pytest.raises(InputError, match='names no file'):
            cached_path(url)

    def test_same_name_from_elsewhere_is_not_taken_for_it(self, url, server, cache, content):
        server.answers['second/a.pth'] = lambda to: send(to, content)
        path = fetched(url)
        with pytest.raises(InputError, match=f'{path} has the same name and came from {url}; move it away'):
            fetched(f'{server.url}/second/a.pth')
        path.unlink()
        (cache / 'a.pth.url').unlink()
        assert fetched(f'{server.url}/second/a.pth') == path

    def test_two_at_once(self, url, server, content, cache):
        """Processes have different partial files; threads wait for each other."""
        other = f'import mmtranspose\nfrom mmtranspose.loading.download import fetched\nfetched({url!r})'
        process = subprocess.Popen([sys.executable, '-c', other], env={**os.environ, 'PYTHONPATH': str(ROOT)})
        threads = [threading.Thread(target=fetched, args=(url,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert server.asked == ['a.pth']
        assert process.wait(60) == 0
        assert files_of(cache) == ['a.pth', 'a.pth.url'] and (cache / 'a.pth').read_bytes() == content


class TestHash:
    @pytest.mark.parametrize(
        ('name', 'digits'),
        [
            ('rtmdet_m_8xb32-100e_coco-obj365-person-235e8209.pth', '235e8209'),
            ('td-hm_hrnet-w32_8xb64-210e_coco-256x192-81c58e40_20220909.pth', '81c58e40'),
            ('tp_r_256x192_enc3_d256_h1024_mh8.pth', None),
            ('model-20230320.pth', None),
            ('model-256.pth', None),
            ('resnet18-f37072fd.pth', 'f37072fd'),
        ],
    )
    def test_names(self, name, digits):
        assert hash_in_name(name) == digits

    def test_right_and_wrong(self, server, content, cache):
        digits = hashlib.sha256(content).hexdigest()[:8]
        for name in (f'm-{digits}.pth', f'm-{digits}_20260101.pth', 'm-12345abc.pth'):
            server.answers[name] = lambda to: send(to, content)
        assert fetched(f'{server.url}/m-{digits}.pth').read_bytes() == content
        fetched(f'{server.url}/m-{digits}_20260101.pth')
        with pytest.raises(InputError, match=f'SHA-256 {digits}..., not 12345abc; you can put the file at .* by hand'):
            fetched(f'{server.url}/m-12345abc.pth')
        assert files_of(cache) == [f'm-{digits}.pth', f'm-{digits}_20260101.pth']

    def test_of_a_metafile(self, url, content, cache, monkeypatch):
        entry = dict(Name='x', Config='x.py', Weights=url, Metadata={'Weights SHA256': '0' * 64})
        monkeypatch.setattr(zoo, 'models', lambda: [entry])
        with pytest.raises(InputError, match=f'not {"0" * 64}'):
            Checkpoint.read(url)
        entry['Metadata']['Weights SHA256'] = hashlib.sha256(content).hexdigest().upper()
        Checkpoint.read(url)


def broken(content, length=-1):
    return lambda to: send(to, content, length)


class TestRefused:
    @pytest.mark.parametrize(
        ('answer', 'words'),
        [
            (lambda whole: broken(whole[:3000], len(whole)), r'3,000 of [\d,]+ bytes arrived: try again'),
            (lambda whole: broken(whole[:3000], None), 'what arrived is damaged: it is truncated'),
            (lambda whole: broken(whole[:300] + b'?' * 99 + whole[399:]), 'what arrived is damaged: '),
            (lambda whole: broken(b''), 'what arrived is damaged: the file is empty'),
            (lambda _: broken(b'\n<!DOCTYPE html><html>sign in</html>'), 'the server sent a web page, not weights'),
            (lambda _: broken(b'{"error": "quota"}'), 'the server sent no weights; what it sent begins with b'),
            (lambda _: lambda to: to.send_error(403), 'HTTP Error 403: Forbidden'),
            (lambda _: lambda to: to.send_error(404), 'HTTP Error 404: Not Found'),
            (lambda _: lambda to: to.wfile.write(b'nonsense\r\n\r\n'), 'nonsense'),
        ],
        ids=['length', 'truncated', 'flipped', 'empty', 'page', 'json', '403', '404', 'no-http'],
    )
    def test_answers(self, server, content, cache, answer, words):
        server.answers['a.pth'] = answer(content)
        url = f'{server.url}/a.pth'
        with pytest.raises(InputError) as caught:
            Checkpoint.read(url)
        said = str(caught.value)
        assert re.fullmatch(rf'checkpoint {url} cannot be downloaded: .*{words}.*', said)
        assert said.endswith(f'; you can put the file at {cache / "a.pth"} by hand')
        assert files_of(cache) == []

    def test_silence(self, server, monkeypatch, cache):
        done = threading.Event()
        monkeypatch.setattr(download, 'TIMEOUT', 0.2)
        server.answers['a.pth'] = lambda to: (send(to, b'PK', 100), to.wfile.flush(), done.wait(20))
        with pytest.raises(InputError, match=r'the connection broke \(timed out\): try again'):
            fetched(f'{server.url}/a.pth')
        done.set()
        assert files_of(cache) == []

    def test_no_network(self, server, cache):
        url = f'{server.url}/a.pth'
        port = url.rsplit(':', 1)[1].split('/')[0]
        with pytest.raises(InputError, match=f'nowhere.invalid:{port}/a.pth cannot be downloaded: .*{cache}/a.pth by'):
            fetched(f'http://nowhere.invalid:{port}/a.pth')

    @pytest.mark.parametrize('number', [errno.ENOSPC, errno.EROFS, errno.EACCES])
    def test_folder_that_takes_nothing(self, url, cache, monkeypatch, number):
        def fail(*_):
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(download.os, 'fsync', fail)
        words = rf'{url} cannot be kept at {cache}/a.pth \({os.strerror(number)}\): .* set TORCH_HOME to another folder'
        with pytest.raises(InputError, match=words):
            fetched(url)
        assert files_of(cache) == []

    def test_file_in_place_of_the_folder(self, url, tmp_path):
        (tmp_path / 'torch').write_text('')
        with pytest.raises(InputError, match='cannot be kept at .*Not a directory'):
            fetched(url)

    def test_interrupted(self, server, content, cache, url):
        """A killed process leaves a partial file, which no later call takes for the whole one and the next removes."""
        server.answers['a.pth'] = lambda to: (send(to, content[:3000], len(content)), threading.Event().wait(30))
        script = f'import mmtranspose\nfrom mmtranspose.loading.download import fetched\nfetched({url!r})'
        process = subprocess.Popen([sys.executable, '-c', script], env={**os.environ, 'PYTHONPATH': str(ROOT)})
        while not any(cache.glob('*.partial')):
            assert process.poll() is None
            threading.Event().wait(0.02)
        process.kill()
        process.wait()
        assert [name for name in files_of(cache) if not name.endswith('.partial')] == []
        del server.answers['a.pth']
        assert fetched(url).read_bytes() == content
        assert files_of(cache) == ['a.pth', 'a.pth.url']

    def test_damaged_in_the_cache(self, cache, content):
        cache.mkdir(parents=True)
        (cache / 'a.pth').write_bytes(content[:3000])
        words = f'{cache}/a.pth is damaged: .*; it came from http://h/a.pth: delete it to have it fetched again'
        with pytest.raises(InputError, match=words):
            Checkpoint.read('http://h/a.pth')


class TestByName:
    @pytest.fixture
    def named(self, tiny_config, tiny_checkpoint, server, monkeypatch):
        """The tiny model stands in the zoo as ``tiny``, one without weights as ``bare``."""
        url = server.add(tiny_checkpoint, 'tiny.pth')
        entries = [dict(Name='tiny', Config=tiny_config, Weights=url, Metadata={})]
        entries += [dict(Name='bare', Alias='b', Config=tiny_config + '.none', Weights=None)]
        monkeypatch.setattr(zoo, 'models', lambda: entries)
        return url

    def test_a_name_brings_its_weights(self, named, tiny_config, tiny_checkpoint):
        model, expected = init_model('tiny'), init_model(tiny_config, tiny_checkpoint)
        for name, value in expected.state_dict().items():
            assert torch.equal(model.state_dict()[name], value), name
        assert init_model('TINY').dataset_meta['num_keypoints'] == 17

    def test_paths_and_configs_stay_as_initialised(self, named, tiny_config, server):
        for config in (tiny_config, Path(tiny_config), load_config('tiny')):
            init_model(config)
        assert server.asked == []

    def test_a_name_without_weights(self, named):
        with pytest.raises(InputError, match=r"^b comes without weights: give .*init_model\(load_config\('b'"):
            init_model('b')


def test_ranks_that_do_not_fetch_are_told(url, server, monkeypatch):
    """Rank 1 takes what rank 0 says; it fetches only where it does not see the file."""
    words = pickle.loads(pickle.dumps(NotFetched('no network', 'a cure')))
    monkeypatch.setattr(download, 'is_main_process', lambda: False)
    monkeypatch.setattr(download, 'broadcast_object_list', lambda told: told.__setitem__(0, words))
    with pytest.raises(NotFetched, match='^no network; a cure$'):
        fetched(url)
    assert server.asked == []
    monkeypatch.setattr(download, 'broadcast_object_list', lambda told: None)
    assert fetched(url).is_file() and server.asked == ['a.pth']
