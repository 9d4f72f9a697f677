"""``.safetensors`` files are read where mmengine reads checkpoints."""

import sys

import pytest
import torch
from mmengine.runner.checkpoint import CheckpointLoader
from safetensors.torch import save_file

from mmtranspose.errors import InputError
from mmtranspose.loading.checkpoint import Checkpoint

WEIGHTS = {'a.weight': torch.arange(6.0).reshape(2, 3), 'b.bias': torch.ones(2, dtype=torch.int64)}


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) and a[name].dtype == b[name].dtype for name in a)


def test_safetensors(tmp_path):
    save_file(WEIGHTS, tmp_path / 'a.safetensors')
    assert same(CheckpointLoader.load_checkpoint(str(tmp_path / 'a.safetensors'), map_location='cpu'), WEIGHTS)
    assert same(Checkpoint.read(str(tmp_path / 'a.safetensors')).weights, WEIGHTS)


@pytest.mark.parametrize('content', [b'', b'garbage' * 9, None], ids=['empty', 'garbage', 'truncated'])
def test_damaged_safetensors(tmp_path, content):
    path = tmp_path / 'a.safetensors'
    save_file(WEIGHTS, path)
    path.write_bytes(path.read_bytes()[:-8] if content is None else content)
    with pytest.raises(InputError, match=f'checkpoint {path} is damaged, or not a .safetensors file: '):
        Checkpoint.read(str(path))


def test_without_the_package(tmp_path, monkeypatch):
    save_file(WEIGHTS, tmp_path / 'a.safetensors')
    monkeypatch.setitem(sys.modules, 'safetensors.torch', None)
    with pytest.raises(InputError, match='needs the package safetensors: pip install "safetensors<'):
        Checkpoint.read(str(tmp_path / 'a.safetensors'))
