"""Checkpoints that are refused, and how."""

import json
import os
import pickle
import re
from pathlib import Path
from unittest import mock

import mmpose
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from safetensors.torch import save_file
from torch import nn

from mmtranspose.compat.bare_state_dict import state_dict_of
from mmtranspose.errors import InputError
from mmtranspose.loading.checkpoint import Checkpoint
from mmtranspose.loading.config import load_config
from mmtranspose.loading.init_model import init_model
from mmtranspose.loading.resuming import find_resumable
from mmtranspose.loading.weights_comparison import WeightsComparison
from mmtranspose.models.released_weights import released_name


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
        checkpoint = Checkpoint.read(path)
        assert checkpoint.path == str(path) and checkpoint.content.keys() == {'state_dict', 'meta'}
        assert checkpoint.meta == {'epoch': 3} and checkpoint.weights['w'].tolist() == [0, 1, 2, 3]
        assert checkpoint.dataset_meta == {} and not checkpoint.is_released

    def test_missing(self, tmp_path):
        with pytest.raises(InputError, match=f'checkpoint {tmp_path / "none.pth"} does not exist'):
            Checkpoint.read(tmp_path / 'none.pth')

    def test_folder(self, tmp_path):
        with pytest.raises(InputError, match=f'checkpoint {tmp_path} does not exist'):
            Checkpoint.read(tmp_path)

    @pytest.mark.parametrize('zipped', [True, False], ids=['zip', 'legacy'])
    def test_truncated_anywhere(self, tmp_path, zipped):
        content = {'state_dict': {'w': torch.randn(40)}, 'meta': {'epoch': 3}}
        path = save(tmp_path, content, _use_new_zipfile_serialization=zipped)
        whole = path.read_bytes()
        for length in [*range(0, 120), *range(120, len(whole) - 1, 23)]:
            path.write_bytes(whole[:length])
            with pytest.raises(InputError, match=f'checkpoint {path} (cannot be read|is damaged|is refused)'):
                Checkpoint.read(path)

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
        with pytest.raises(InputError, match=f'checkpoint {path} (cannot be read|is damaged|is an image)'):
            Checkpoint.read(path)

    def test_web_page(self, tmp_path):
        path = tmp_path / 'a.pth'
        path.write_text('\n<!DOCTYPE html>\n<html><body>Not found</body></html>')
        with pytest.raises(InputError, match=f'checkpoint {path} cannot be read: it is a web page, not weights'):
            Checkpoint.read(path)

    def test_old_torch_is_refused(self, tmp_path, monkeypatch):
        path = save(tmp_path, {'w': torch.zeros(1)})
        monkeypatch.setattr('mmtranspose.compat.checkpoint_files.RUNS_NO_CODE', False)
        with pytest.raises(InputError, match=f'checkpoint {path} is not loaded: torch .* install torch 2.6'):
            Checkpoint.read(path)

    def test_code_is_not_run(self, tmp_path):
        victim = tmp_path / 'victim'
        victim.touch()
        path = save(tmp_path, {'state_dict': Remove(victim)})
        with pytest.raises(InputError, match=f'{path} is refused: besides weights it holds [a-z]+.remove, which'):
            Checkpoint.read(path)
        (tmp_path / 'plain.pth').write_bytes(pickle.dumps(Remove(victim)))
        with pytest.raises(InputError, match='plain.pth is (refused|damaged)'):
            Checkpoint.read(tmp_path / 'plain.pth')
        assert victim.exists()

    @pytest.mark.parametrize(
        ('content', 'kind'), [([torch.ones(1)], 'list'), (torch.ones(3), 'Tensor'), (None, 'NoneType')]
    )
    def test_no_dict(self, tmp_path, content, kind):
        path = save(tmp_path, content)
        with pytest.raises(InputError, match=f'checkpoint {path} holds a {kind}, not a dict of weights'):
            Checkpoint.read(path)


class TestMatch:
    def test_own_weights(self, model):
        Checkpoint('a.pth', model.state_dict()).require_match(model)
        Checkpoint('a.pth', {'state_dict': model.state_dict(), 'meta': {}}).require_match(model)
        found = Checkpoint('a.pth', model.state_dict()).compare(model)
        assert found == WeightsComparison(list(model.state_dict()), [], [], []) and found.exact

    def test_differences_are_listed(self, model):
        weights = {'0.bias': torch.zeros(2), '1.weight': torch.zeros(5), 'head.weight': torch.zeros(9)}
        with pytest.raises(InputError) as caught:
            Checkpoint('a.pth', weights).require_match(model)
        words = str(caught.value)
        assert words.startswith('checkpoint a.pth does not match the model of this config. It looks like no model of')
        assert '4 of the model missing in it: 0.weight, 1.bias, 1.running_mean, 1.running_var;' in words
        assert '1 of another shape: 1.weight ((5,) instead of (2,));' in words
        assert '1 unknown to the model: head.weight.' in words
        assert '--allow-partial' in words

    def test_other_keypoints(self, tiny_model):
        weights = dict(tiny_model.state_dict())
        for name in ('head.final_layer.weight', 'head.final_layer.bias'):
            weights[name] = weights[name][:7]
        words = (
            'It is for 7 keypoints and the config for 17: use the config that it was trained with. Differences: 2 of'
        )
        with pytest.raises(InputError, match=words):
            Checkpoint('a.pth', weights).require_match(tiny_model)

    def test_ten_names_and_a_count(self, model):
        weights = {**model.state_dict(), **{f'more.{index}': torch.zeros(1) for index in range(13)}}
        names = ', '.join(f'more.{index}' for index in range(10))
        with pytest.raises(InputError, match=f'13 unknown to the model: {names}, ... and 3 more'):
            Checkpoint('a.pth', weights).require_match(model)

    def test_partial_says_what_was_kept(self, model):
        weights = {'0.bias': torch.zeros(2), '1.weight': torch.zeros(5), 'head.weight': torch.zeros(9)}
        with mock.patch('mmtranspose.loading.checkpoint.print_log') as log:
            Checkpoint('a.pth', weights).require_match(model, allow_partial=True)
        words = log.call_args.args[0]
        assert words.startswith('a.pth: kept 1 of 6 parameters and buffers. Left as initialised or not used: 4 of the ')
        assert words.endswith('1 unknown to the model: head.weight.')

    def test_partial_still_needs_something(self, model):
        with pytest.raises(InputError, match='checkpoint a.pth shares no parameter'):
            Checkpoint('a.pth', {'head.weight': torch.zeros(9)}).require_match(model, allow_partial=True)

    def test_counters_of_batches_may_be_missing(self, model):
        weights = {name: value for name, value in model.state_dict().items() if 'num_batches' not in name}
        assert len(weights) == len(model.state_dict()) - 1
        Checkpoint('a.pth', weights).require_match(model)

    def test_weights_of_a_wrapped_model(self, model):
        wrapped = {'state_dict': {f'module.{k}': v for k, v in model.state_dict().items()}}
        Checkpoint('a.pth', wrapped).require_match(model)
        assert list(state_dict_of(wrapped)) == list(model.state_dict())

    @pytest.mark.parametrize('prefix', ['', 'module.'])
    def test_names_of_the_release(self, tiny_model, prefix):
        table = tiny_model.neck.position_encoding.table(8, 6)[:, None]
        released = {released_name(name): value for name, value in tiny_model.state_dict().items()}
        assert 'reduce.weight' in released and 'final_layer.bias' in released
        content = {'state_dict': {f'{prefix}{name}': value for name, value in released.items()}, 'optimizer': {}}
        content['state_dict'][f'{prefix}pos_embedding'] = table
        Checkpoint('a.pth', content).require_match(tiny_model)
        for name in ('reduce.weight', 'pos_embedding', 'global_encoder.layers.1.norm2.bias'):
            less = {key: value for key, value in content['state_dict'].items() if key != prefix + name}
            with pytest.raises(InputError, match=f'1 of the model missing in it: {name}. To'):
                Checkpoint('a.pth', less).require_match(tiny_model)
        content['state_dict'][f'{prefix}pos_embedding'] = table.flip(0)
        with pytest.raises(InputError, match='1 unknown to the model: pos_embedding. To'):
            Checkpoint('a.pth', content).require_match(tiny_model)

    @pytest.mark.parametrize(
        'weights',
        [
            {'conv.weight': torch.zeros(3), 'fc.bias': torch.zeros(2)},
            {'0.weight': torch.zeros(7, 7), '0.bias': torch.zeros(3)},
        ],
        ids=['other names', 'other shapes'],
    )
    def test_foreign_weights(self, model, weights):
        first, second = weights
        words = f'checkpoint a.pth shares no parameter with the model of this config: it has {first}, {second}, ...'
        with pytest.raises(InputError, match=f'{words} and the model 0.weight, 0.bias, 1.weight, ...'):
            Checkpoint('a.pth', {'state_dict': weights}).require_match(model)

    @pytest.mark.parametrize(
        'content',
        [
            {},
            {'state_dict': {}},
            {'state_dict': None},
            {'state_dict': [1]},
            {'state_dict': {'w': 1}},
            {3: torch.zeros(1)},
            {'0.weight': torch.zeros(2, 3).to_sparse()},
        ],
        ids=str,
    )
    def test_no_weights_at_all(self, model, content):
        with pytest.raises(InputError, match='checkpoint a.pth '):
            Checkpoint('a.pth', content).require_match(model)


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
def test_tools_refuse_it(tool, content, tiny_config, tiny_checkpoint, people, run_command, tmp_path, monkeypatch):
    meta = dict(epoch=1, iter=3)
    path = save(tmp_path, {'state_dict': {'fc.weight': torch.zeros(3, 3)}, 'meta': meta, 'message_hub': {}})
    if content == 'truncated':
        path.write_bytes(Path(tiny_checkpoint).read_bytes()[:-2000])
    for name in ('train', 'test'):
        monkeypatch.setattr(Runner, name, lambda runner: pytest.fail('the run was started'))
    work, out = ('--work-dir', tmp_path / 'work'), tmp_path / 'out'
    boxes = ('--input', people / 'val' / '000000000001.jpg', '--bboxes', 'whole-image', '--output-root', out)
    arguments = {'train': ('--resume', path, *work), 'test': (path, *work), 'infer': (path, *boxes)}[tool]
    words = 'shares no parameter' if content == 'foreign' else 'truncated|damaged'
    with pytest.raises(InputError, match=f'checkpoint {path} .*({words})'):
        run_command(tool, tiny_config, *arguments)
    assert not out.exists()


@pytest.fixture
def released(tiny_model) -> dict:
    """The tiny checkpoint's weights in the release's names."""
    weights = {released_name(name): value.clone() for name, value in tiny_model.state_dict().items()}
    return {**weights, 'pos_embedding': tiny_model.neck.position_encoding.table(8, 6)[:, None].clone()}


def test_released_names_become_the_models(released, tiny_model):
    checkpoint = Checkpoint('a.pth', {'state_dict': {f'module.{name}': value for name, value in released.items()}})
    assert checkpoint.is_released and 'reduce.weight' in checkpoint.weights
    adopted, expected = checkpoint.weights_for(tiny_model), tiny_model.state_dict()
    assert adopted.keys() == expected.keys()
    assert all(torch.equal(adopted[name], expected[name]) for name in expected)
    with torch.no_grad():
        for value in tiny_model.parameters():
            value.zero_()
    checkpoint.load_into(tiny_model)
    assert torch.equal(tiny_model.neck.projection.weight, released['reduce.weight'])


@pytest.mark.parametrize('kind', ['bare', 'training', 'safetensors'])
def test_released_files_are_evaluated(kind, released, tiny_config, tested, run_command, tmp_path):
    """``tools/test.py`` on every kind of file of the release: the metrics of our own checkpoint."""
    path = tmp_path / ('released.safetensors' if kind == 'safetensors' else 'released.pth')
    if kind == 'safetensors':
        save_file(released, path)
    elif kind == 'bare':
        torch.save(released, path)
    else:
        state = {f'module.{name}': value for name, value in released.items()}
        optimizer = torch.optim.Adam([torch.nn.Parameter(torch.zeros(3))])
        torch.save(
            {
                'epoch': 229,
                'model': 'transpose',
                'state_dict': state,
                'best_state_dict': released,
                'perf': np.float64(0.7),
                'optimizer': optimizer.state_dict(),
            },
            path,
        )
    outputs = ('--work-dir', tmp_path / 'work', '--out', tmp_path / 'metrics.json')
    run_command('test', tiny_config, path, *outputs, '--cfg-options', f'experiment_name={kind}')
    assert json.loads((tmp_path / 'metrics.json').read_text()) == tested.metrics


@pytest.mark.parametrize('position', ['sine', 'learnable'])
def test_our_learnable_positions_are_no_sine(tiny_model, position):
    weights = dict(tiny_model.state_dict())
    if position == 'learnable':
        weights['neck.position_encoding.weight'] = torch.zeros(48, 32)
        with pytest.raises(InputError, match='1 unknown to the model: neck.position_encoding.weight'):
            Checkpoint('a.pth', weights).require_match(tiny_model)
    else:
        Checkpoint('a.pth', weights).require_match(tiny_model)


@pytest.mark.parametrize('meta', [None, [1], 'text', {}], ids=str)
def test_odd_meta(meta, tiny_config, tiny_checkpoint, tmp_path):
    weights = torch.load(tiny_checkpoint, weights_only=True)['state_dict']
    path = save(tmp_path, {'state_dict': weights, 'meta': meta})
    assert Checkpoint.read(path).meta == {} and Checkpoint.read(path).dataset_meta == {}
    assert init_model(tiny_config, str(path)).dataset_meta['num_keypoints'] == 17


@pytest.mark.parametrize('table', [torch.tensor(3.0), torch.zeros(5)], ids=['scalar', 'vector'])
def test_odd_position_tables(released, tiny_config, tmp_path, table):
    path = save(tmp_path, {**released, 'pos_embedding': table})
    with pytest.raises(InputError, match='1 unknown to the model: pos_embedding'):
        init_model(tiny_config, str(path))


@pytest.mark.parametrize('where', ['state_dict', 'ema_state_dict'])
def test_weights_that_are_not_finite(where, tiny_config, tiny_checkpoint, tmp_path):
    content = torch.load(tiny_checkpoint, weights_only=True)
    del content['meta']['weights_digest']
    content[where] = {name: value.clone() for name, value in content['state_dict'].items()}
    for name in ('neck.projection.weight', 'head.final_layer.bias'):
        content[where][name][0] = float('inf')
    path = save(tmp_path, content)
    names = [
        f'{"" if where == "state_dict" else "ema_state_dict "}{name}'
        for name in ('neck.projection.weight', 'head.final_layer.bias')
    ]
    words = f'checkpoint {path} has weights that are not finite (NaN or infinite), in 2 tensors: {", ".join(names)}; '
    for read in (Checkpoint.read, lambda path: init_model(tiny_config, path)):
        with pytest.raises(InputError, match=re.escape(words)):
            read(path)
    assert Checkpoint.read(path, allow_non_finite=True).content[where].keys() == content[where].keys()
    model = init_model(tiny_config, path, allow_non_finite=True)
    assert model.head.final_layer.bias.isfinite().all() == (where == 'ema_state_dict')


@pytest.mark.parametrize('command', ['test', 'infer', 'explain', 'explain-dataset', 'app', 'benchmark'])
def test_commands_refuse_weights_that_are_not_finite(
    command, tiny_config, tiny_checkpoint, people, run_command, tmp_path, monkeypatch
):
    content = torch.load(tiny_checkpoint, weights_only=True)
    del content['meta']['weights_digest']
    content['state_dict']['head.final_layer.bias'][0] = float('nan')
    path = save(tmp_path, content)
    image, out = (
        ('--input', people / 'val' / '000000000001.jpg', '--bboxes', 'whole-image'),
        ('--output-root', tmp_path / 'out'),
    )
    arguments = {
        'test': (path, '--work-dir', tmp_path / 'work'),
        'infer': (path, *image, *out),
        'explain': (path, *image, *out),
        'explain-dataset': (path, *out),
        'app': (path, '--bboxes', 'whole-image'),
        'benchmark': ('forward', '--checkpoint', path, '--repeats', '1', '--batch-size', '1'),
    }[command]

    class Loaded(Exception):
        pass

    def loaded(self, *args, **kwargs):
        raise Loaded

    with pytest.raises(
        InputError, match=f'{path} has weights that are not finite .* head.final_layer.bias; .*--allow-non'
    ):
        run_command(command, tiny_config, *arguments)
    monkeypatch.setattr(Checkpoint, 'require_match', loaded)
    with pytest.raises(Loaded):
        run_command(command, tiny_config, *arguments, '--allow-non-finite')


def test_a_dataset_without_lines_between_keypoints(tiny_config, run_command, tmp_path):
    """``skeleton_info={}`` and ``sigmas=[]`` become empty arrays in the checkpoint."""
    coco = Config.fromfile(Path(mmpose.__file__).parent / '.mim/configs/_base_/datasets/coco.py').dataset_info
    (tmp_path / 'metainfo.py').write_text(f'dataset_info = {dict(coco, skeleton_info={})}')
    cfg = load_config(tiny_config)
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        loader.dataset.metainfo = dict(from_file=str(tmp_path / 'metainfo.py'))
    cfg.dump(tmp_path / 'lines.py')
    options = ('--no-validate', '--cfg-options', 'experiment_name=lines')
    run_command('train', tmp_path / 'lines.py', '--work-dir', tmp_path / 'work', *options)
    path = tmp_path / 'work' / 'epoch_1.pth'
    checkpoint = Checkpoint.read(path)
    assert checkpoint.dataset_meta['skeleton_link_colors'].shape == (0,)
    checkpoint.dataset_meta['sigmas'] = np.zeros(0, np.float32)
    torch.save(checkpoint.content, path)
    assert find_resumable(tmp_path / 'work') == path
    assert init_model(str(tmp_path / 'lines.py'), path).dataset_meta['skeleton_links'] == []


def test_a_part_does_not_bring_its_keypoints_names(tiny_config, tiny_checkpoint, tmp_path):
    content = torch.load(tiny_checkpoint, weights_only=True)
    content['meta']['dataset_meta']['dataset_name'] = 'changed'
    path = save(tmp_path, content)
    whole = init_model(tiny_config, path)
    part = init_model(tiny_config, path, cfg_options={'model.head.out_channels': 3}, allow_partial=True)
    assert (whole.dataset_meta['dataset_name'], part.dataset_meta['dataset_name']) == ('changed', 'coco')
