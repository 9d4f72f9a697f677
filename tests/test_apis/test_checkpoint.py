"""Checkpoints that are refused, and how."""

import os
import pickle

import pytest
import torch
from mmengine.runner import Runner
from torch import nn

from mmtranspose.apis import init_model
from mmtranspose.apis.checkpoint import read_checkpoint, require_match
from mmtranspose.errors import InputError


def save(folder, content, **options):
    path = folder / 'a.pth'
    torch.save(content, path, **options)
    return path


@pytest.fixture
def model():
    return nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))


class Remove:
    def __init__(self, victim):
        self.victim = victim

    def __reduce__(self):
        return os.remove, (str(self.victim),)


class TestRead:
    def test_content(self, tmp_path):
        path = save(tmp_path, {'state_dict': {'w': torch.arange(4)}, 'meta': {'epoch': 3}})
        content = read_checkpoint(str(path))
        assert content['meta'] == {'epoch': 3} and content['state_dict']['w'].tolist() == [0, 1, 2, 3]

    def test_missing(self, tmp_path):
        with pytest.raises(InputError, match=f'checkpoint {tmp_path / "none.pth"} does not exist'):
            read_checkpoint(str(tmp_path / 'none.pth'))

    def test_folder(self, tmp_path):
        with pytest.raises(InputError, match=f'checkpoint {tmp_path} does not exist'):
            read_checkpoint(str(tmp_path))

    @pytest.mark.parametrize('zipped', [True, False], ids=['zip', 'legacy'])
    def test_truncated_anywhere(self, tmp_path, zipped):
        content = {'state_dict': {'w': torch.randn(40)}, 'meta': {'epoch': 3}}
        path = save(tmp_path, content, _use_new_zipfile_serialization=zipped)
        whole = path.read_bytes()
        for length in [*range(0, 120), *range(120, len(whole) - 1, 23)]:
            path.write_bytes(whole[:length])
            with pytest.raises(InputError, match=f'checkpoint {path} (cannot be read|is damaged)'):
                read_checkpoint(str(path))

    @pytest.mark.parametrize(
        'content',
        [
            b'hello world\n',
            b'<!DOCTYPE html><html>',
            b'{"state_dict": {}}',
            b'\x89PNG\r\n\x1a\n',
            b'PK\x03\x04' + b'0' * 60,
        ],
    )
    def test_other_files(self, tmp_path, content):
        path = tmp_path / 'a.pth'
        path.write_bytes(content * 8)
        with pytest.raises(InputError, match=f'checkpoint {path} (cannot be read|is damaged)'):
            read_checkpoint(str(path))

    def test_code_is_not_run(self, tmp_path):
        victim = tmp_path / 'victim'
        victim.touch()
        path = save(tmp_path, {'state_dict': Remove(victim)})
        with pytest.raises(InputError, match=f'checkpoint {path} is damaged or holds more than weights; refused'):
            read_checkpoint(str(path))
        (tmp_path / 'plain.pth').write_bytes(pickle.dumps(Remove(victim)))
        with pytest.raises(InputError, match='refused'):
            read_checkpoint(str(tmp_path / 'plain.pth'))
        assert victim.exists()

    @pytest.mark.parametrize(
        ('content', 'kind'), [([torch.ones(1)], 'list'), (torch.ones(3), 'Tensor'), (None, 'NoneType')]
    )
    def test_no_dict(self, tmp_path, content, kind):
        path = save(tmp_path, content)
        with pytest.raises(InputError, match=f'checkpoint {path} holds a {kind}, not a dict of weights'):
            read_checkpoint(str(path))


class TestMatch:
    def test_own_weights(self, model):
        require_match(model, model.state_dict(), 'a.pth')
        require_match(model, {'state_dict': model.state_dict(), 'meta': {}}, 'a.pth')

    def test_one_shared_parameter_is_enough(self, model):
        require_match(model, {'0.bias': torch.zeros(2), 'head.weight': torch.zeros(9)}, 'a.pth')

    def test_weights_of_a_wrapped_model(self, model):
        require_match(model, {'state_dict': {f'module.{k}': v for k, v in model.state_dict().items()}}, 'a.pth')

    def test_names_of_the_release(self, tiny_model):
        released = {}
        for name, value in tiny_model.state_dict().items():
            for ours, theirs in (('backbone.', ''), ('neck.projection', 'reduce'), ('neck.encoder', 'global_encoder')):
                name = name.replace(ours, theirs)
            released[name.removeprefix('head.')] = value
        released = {name: value for name, value in released.items() if name.startswith(('reduce', 'global_encoder'))}
        require_match(tiny_model, released, 'a.pth')
        require_match(tiny_model, {'state_dict': {f'module.{k}': v for k, v in released.items()}}, 'a.pth')
        del released['reduce.weight']  # now nothing tells that it is the release
        with pytest.raises(InputError):
            require_match(tiny_model, released, 'a.pth')

    @pytest.mark.parametrize(
        'weights',
        [{'conv.weight': torch.zeros(3), 'fc.bias': torch.zeros(2)}, {'0.weight': torch.zeros(7, 7), '0.bias': 3}],
        ids=['other names', 'other shapes'],
    )
    def test_foreign_weights(self, model, weights):
        first, second = weights
        words = f'checkpoint a.pth shares no parameter with the model of this config: it has {first}, {second}, ...'
        with pytest.raises(InputError, match=f'{words} and the model 0.weight, 0.bias, 1.weight, ...'):
            require_match(model, {'state_dict': weights}, 'a.pth')

    @pytest.mark.parametrize('content', [{}, {'state_dict': {}}, {'state_dict': None}, {'state_dict': [1]}], ids=str)
    def test_no_weights_at_all(self, model, content):
        with pytest.raises(InputError, match='checkpoint a.pth '):
            require_match(model, content, 'a.pth')


def weights_of(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


@pytest.mark.parametrize('prefix', ['', 'module.'])
@pytest.mark.parametrize('bare', [True, False])
def test_weights_arrive_in_the_model(tiny_config, tiny_checkpoint, tmp_path, prefix, bare):
    trained = torch.load(tiny_checkpoint, weights_only=True)['state_dict']
    weights = {prefix + name: value for name, value in trained.items()}
    path = save(tmp_path, weights if bare else {'state_dict': weights, 'meta': {}})
    loaded = weights_of(init_model(tiny_config, str(path)))
    assert loaded.keys() == trained.keys()
    for name, value in trained.items():
        torch.testing.assert_close(loaded[name], value, rtol=0, atol=0)


@pytest.mark.parametrize('content', ['truncated', 'foreign'])
@pytest.mark.parametrize('tool', ['train', 'test', 'infer'])
def test_tools_refuse_it(tool, content, tiny_config, tiny_checkpoint, people, run_tool, tmp_path, monkeypatch):
    path = save(tmp_path, {'state_dict': {'fc.weight': torch.zeros(3, 3)}})
    if content == 'truncated':
        path.write_bytes(open(tiny_checkpoint, 'rb').read()[:-2000])
    for name in ('train', 'test'):
        monkeypatch.setattr(Runner, name, lambda runner: pytest.fail('the run was started'))
    work, out = ('--work-dir', tmp_path / 'work'), tmp_path / 'out'
    boxes = ('--input', people / 'val' / '000000000001.jpg', '--bboxes', 'whole-image', '--output-root', out)
    arguments = {'train': ('--resume', path, *work), 'test': (path, *work), 'infer': (path, *boxes)}[tool]
    words = 'shares no parameter' if content == 'foreign' else 'truncated|damaged'
    with pytest.raises(InputError, match=f'checkpoint {path} .*({words})'):
        run_tool(tool, tiny_config, *arguments)
    assert not out.exists()
