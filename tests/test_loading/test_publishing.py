"""Checkpoints of trainings as small files to share."""

import pytest
import torch
from safetensors.torch import load_file

from mmtranspose.errors import InputError
from mmtranspose.loading.init_model import init_model
from mmtranspose.loading.publishing import publish


def test_half_precision(tiny_config, tiny_checkpoint, tmp_path):
    written = publish(tiny_checkpoint, tmp_path / 'small.safetensors')
    before, after = (init_model(tiny_config, path).state_dict() for path in (tiny_checkpoint, written))
    assert before.keys() == after.keys()
    for name, value in before.items():
        assert after[name].dtype == value.dtype
        exact = value if not value.is_floating_point() else value.half().float()
        assert torch.equal(after[name], exact), name
    numbers = sum(value.numel() for value in load_file(written).values())
    assert written.stat().st_size < 2.2 * numbers + 20_000


def test_full_precision_loses_nothing(tiny_config, tiny_checkpoint, tmp_path):
    written = publish(tiny_checkpoint, tmp_path / 'small.safetensors', half=False)
    before, after = (init_model(tiny_config, path).state_dict() for path in (tiny_checkpoint, written))
    assert all(torch.equal(after[name], value) for name, value in before.items())


def test_nothing_of_the_run_is_in_it(tiny_checkpoint, tmp_path):
    written = publish(tiny_checkpoint, tmp_path / 'small.safetensors')
    content = torch.load(tiny_checkpoint, weights_only=True)
    assert load_file(written).keys() == content['state_dict'].keys() and 'optimizer' in content
    assert str(tmp_path).encode() not in written.read_bytes()


def test_numbers_too_large_for_16_bits(tmp_path):
    torch.save(dict(state_dict=dict(weight=torch.tensor([1.0, 7e4]))), tmp_path / 'large.pth')
    with pytest.raises(InputError, match=r'weight has numbers up to 7e\+04, too large for 16 bits; use --full'):
        publish(tmp_path / 'large.pth', tmp_path / 'small.safetensors')
    assert not (tmp_path / 'small.safetensors').exists()
    written = publish(tmp_path / 'large.pth', tmp_path / 'full.safetensors', half=False)
    assert load_file(written)['weight'].tolist() == [1, 7e4]


def test_outputs_that_are_refused(tiny_checkpoint, tmp_path):
    with pytest.raises(InputError, match='must end in .safetensors'):
        publish(tiny_checkpoint, tmp_path / 'small.pth')
    written = publish(tiny_checkpoint, tmp_path / 'small.safetensors')
    with pytest.raises(InputError, match='is the checkpoint itself'):
        publish(written, written)


def test_command(tiny_checkpoint, tmp_path, run_command, capsys):
    run_command('publish', tiny_checkpoint, tmp_path / 'small.safetensors')
    said = capsys.readouterr().out
    assert said == f'{tmp_path}/small.safetensors: {(tmp_path / "small.safetensors").stat().st_size / 1e6:.1f} MB\n'
