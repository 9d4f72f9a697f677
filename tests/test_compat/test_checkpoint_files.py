"""Files and URLs that mmengine loads run no code."""

import functools
import http.server
import os
import pickle
import subprocess
import sys
import threading

import pytest
import torch
from mmengine.runner.checkpoint import CheckpointLoader
from safetensors.torch import save_file

from mmtranspose.errors import InputError
from mmtranspose.loading.checkpoint import Checkpoint

WEIGHTS = {'a.weight': torch.arange(6.0).reshape(2, 3), 'b.bias': torch.ones(2, dtype=torch.int64)}


class Remove:
    def __init__(self, victim):
        self.victim = victim

    def __reduce__(self):
        return os.remove, (str(self.victim),)


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) and a[name].dtype == b[name].dtype for name in a)


@pytest.fixture
def server(tmp_path, monkeypatch):
    """Serves ``tmp_path/served`` on the loopback interface; yields its URL. Downloads are kept in ``tmp_path``."""
    (tmp_path / 'served').mkdir()
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'torch'))

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    handler = functools.partial(Quiet, directory=tmp_path / 'served')
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f'http://127.0.0.1:{server.server_port}'
        server.shutdown()


def test_weights_from_a_url(server, tmp_path):
    torch.save(WEIGHTS, tmp_path / 'served' / 'a.pth')
    assert same(Checkpoint.read(f'{server}/a.pth').weights, WEIGHTS)


def test_code_from_a_url_is_not_run(server, tmp_path):
    (tmp_path / 'victim').touch()
    torch.save({'state_dict': Remove(tmp_path / 'victim')}, tmp_path / 'served' / 'a.pth')
    with pytest.raises(pickle.UnpicklingError):
        CheckpointLoader.load_checkpoint(f'{server}/a.pth', map_location='cpu')
    with pytest.raises(InputError, match='is refused: besides weights it holds'):
        Checkpoint.read(f'{server}/a.pth')
    assert (tmp_path / 'victim').exists()


def test_code_in_a_file_is_not_run_whatever_the_environment_says(tmp_path, monkeypatch):
    monkeypatch.setenv('TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD', '1')
    (tmp_path / 'victim').touch()
    torch.save({'state_dict': Remove(tmp_path / 'victim')}, tmp_path / 'a.pth')
    with pytest.raises(pickle.UnpicklingError):
        CheckpointLoader.load_checkpoint(str(tmp_path / 'a.pth'), map_location='cpu')
    assert (tmp_path / 'victim').exists()


@pytest.mark.parametrize('name', ['a.safetensors', 'A.SafeTensors', 'a.pth'])
def test_home(tmp_path, monkeypatch, name):
    monkeypatch.setenv('HOME', str(tmp_path))
    save = torch.save if name.endswith('.pth') else save_file
    save(WEIGHTS, tmp_path / name)
    assert same(Checkpoint.read(f'~/{name}').weights, WEIGHTS)


def test_a_server_without_the_file(server):
    with pytest.raises(InputError, match=f'checkpoint {server}/none.pth cannot be downloaded: HTTP Error 404'):
        Checkpoint.read(f'{server}/none.pth')


def test_the_fault_is_still_there(server, tmp_path):
    """Without the work-around the code runs; once this fails, the work-around can go."""
    (tmp_path / 'victim').touch()
    torch.save({'state_dict': Remove(tmp_path / 'victim')}, tmp_path / 'served' / 'a.pth')
    script = (
        'from mmengine.runner.checkpoint import CheckpointLoader\n'
        f'CheckpointLoader.load_checkpoint("{server}/a.pth", map_location="cpu")'
    )
    subprocess.run([sys.executable, '-c', script], capture_output=True, check=False)
    assert not (tmp_path / 'victim').exists()
