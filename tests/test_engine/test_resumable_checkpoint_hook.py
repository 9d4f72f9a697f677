"""What checkpoints hold beside mmengine's content, and which files they replace. Kills: test_reliability.py."""

from __future__ import annotations

import logging
import os
import signal
from types import SimpleNamespace

import mmengine.config.config
import pytest
import torch
from mmengine.config import Config
from mmengine.fileio import LocalBackend
from mmengine.hooks import EMAHook, Hook
from mmpose.registry import HOOKS
from test_reliability import TRAINED, differences
from torch import nn

from mmtranspose.engine.hooks import ResumableCheckpointHook
from mmtranspose.engine.hooks.resumable_checkpoint_hook import SUPERSEDED, _buffers
from mmtranspose.errors import InputError, Preempted

PLATEAU = dict(type='ReduceOnPlateauLR', monitor='coco/AP', rule='greater', patience=0, factor=0.5)
EARLY = dict(type='EarlyStoppingHook', monitor='coco/AP', rule='greater', patience=2, min_delta=0.5)


class AsksToStop(Hook):
    """Signals this process in its n-th step."""

    priority = 'VERY_HIGH'

    def __init__(self, step):
        self.left = step

    def after_train_iter(self, *args, **kwargs):
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGTERM)


@pytest.fixture(autouse=True, scope='module')
def quick():
    HOOKS.register_module(module=AsksToStop)
    with pytest.MonkeyPatch.context() as patch:  # mmengine lays out the config for every checkpoint
        patch.setattr(mmengine.config.config, 'FormatCode', lambda text, **_: (text, True))
        yield
    del HOOKS._module_dict['AsksToStop']


@pytest.fixture
def train(tiny_config, run_command, tmp_path):
    """Trains 3 epochs of 4 steps with changes of the tiny config, or up to a step; returns the work directory."""

    def train(changes, name='work', stop_at=None, resume=True):
        cfg = Config.fromfile(tiny_config)
        cfg.merge_from_dict(
            dict(
                model=dict(neck=dict(dropout=0.1)),
                train_cfg=dict(max_epochs=3),
                train_dataloader=dict(batch_size=2),
                experiment_name=f'{tmp_path} {name}',
                log_level='WARNING',
            )
        )
        lists = {key: changes[key] for key in ('custom_hooks', 'param_scheduler') if key in changes}
        cfg.merge_from_dict({key: value for key, value in changes.items() if key not in lists})
        stop = [] if stop_at is None else [dict(type='AsksToStop', step=stop_at)]
        cfg.update({**lists, 'custom_hooks': [*lists.get('custom_hooks', []), *stop]})
        cfg.dump(str(tmp_path / 'changed.py'))
        arguments = (tmp_path / 'changed.py', '--work-dir', tmp_path / name, *(['--resume'] if resume else []))
        if stop_at is None:
            run_command('train', *arguments)
        else:
            with pytest.raises(Preempted):
                run_command('train', *arguments)
        return tmp_path / name

    return train


def names(work_dir):
    return {path.name for path in work_dir.glob('*.pth')}


def end_of(work_dir, name):
    checkpoint = torch.load(work_dir / name, weights_only=True)
    return {part: checkpoint[part] for part in TRAINED if part in checkpoint}


@pytest.mark.parametrize(
    ('changes', 'stops', 'lost', 'last'),
    [
        # gradients that are being accumulated, in an epoch and at its end
        ({'optim_wrapper.accumulative_counts': 3}, (2, 2), '', 'epoch_3.pth'),
        ({'default_hooks.checkpoint': dict(by_epoch=False, interval=5)}, (2, 5), '', 'iter_12.pth'),
        # the first validation has a new best score, and changes the rate and the state; it must not be made again
        (dict(param_scheduler=[PLATEAU]), (5,), 'mid_epoch.pth', 'epoch_3.pth'),
        (
            {'custom_hooks': [EARLY], 'train_cfg.max_epochs': 5, 'default_hooks.checkpoint.max_keep_ckpts': 9},
            (9,),
            '',
            'epoch_3.pth',
        ),
    ],
    ids=['accumulated', 'by steps', 'plateau', 'early stopping'],
)
@pytest.mark.filterwarnings('ignore:Detected call of `scheduler.step')  # while gradients are accumulated
def test_a_broken_run_ends_as_an_unbroken_one(train, changes, stops, lost, last):
    whole = train(changes, 'whole', resume=False)
    for step in stops:
        work_dir = train(changes, stop_at=step)
        assert 'mid_epoch.pth' in names(work_dir)
        if lost:
            (work_dir / lost).unlink()
    assert names(train(changes)) == names(whole) >= {last}
    assert differences(end_of(work_dir, last), end_of(whole, last)) == []


def test_saves_between_are_one_file(train):
    changes = {
        'default_hooks.checkpoint': dict(
            by_epoch=False, interval=100, save_every=1e-9, max_keep_ckpts=-1, save_best=None
        )
    }
    assert names(train(changes, stop_at=7)) == {'mid_epoch.pth'}
    assert names(train(changes)) == {'iter_12.pth'}


def test_checkpoints_are_published_by_a_run_that_had_no_time_to(train):
    changes = {'default_hooks.checkpoint.published_keys': ['meta', 'state_dict'], 'train_cfg.max_epochs': 1}
    work_dir = train(changes)
    published = {name for name in names(work_dir) if '-' in name}
    assert len(published) == 2
    for name in published:
        (work_dir / name).unlink()
    train(changes)
    assert {name.split('-')[0] for name in names(work_dir) if '-' in name} == {'epoch_1', 'best_coco_AP_epoch_1'}


def test_a_stock_loop_says_that_its_epoch_starts_over(train):
    loop = dict(train_cfg=dict(_delete_=True, type='EpochBasedTrainLoop', max_epochs=2))
    work_dir = train(loop, stop_at=6)
    train(loop)
    said = [line for log in work_dir.glob('*/*.log') for line in log.read_text().splitlines() if 'starts over' in line]
    assert len(said) == 1
    assert 'epoch 2 starts over, because EpochBasedTrainLoop cannot go on in the middle of an epoch' in said[0]
    assert 'epoch_2.pth' in names(work_dir)


@pytest.mark.parametrize('minutes', [0, -1, float('nan')])
def test_no_time_to_save(minutes):
    with pytest.raises(InputError, match=f'save_every={minutes} must be a number of minutes above 0'):
        ResumableCheckpointHook(save_every=minutes)


def test_superseded_files_are_removed(tmp_path):
    for name, steps in {'mid_epoch': 7, 'epoch_1': 4, 'epoch_2': 8, 'best_a_epoch_1': 4, 'epoch_9': 9}.items():
        torch.save(dict(meta=dict(epoch=1, iter=steps)), tmp_path / f'{name}.pth')
    (tmp_path / 'best_b_epoch_1.pth').write_bytes(b'truncated')
    noted = ['mid_epoch', 'epoch_1', 'epoch_2', 'best_a_epoch_1', 'best_b_epoch_1', 'epoch_9', 'gone']
    hook = ResumableCheckpointHook(save_best='a', rule='greater')
    hook.out_dir, hook.file_backend, hook.keep_ckpt_ids = str(tmp_path), LocalBackend(), [2]
    hook.best_ckpt_path = '/elsewhere/best_a_epoch_1.pth'
    hub = SimpleNamespace(runtime_info={SUPERSEDED: [f'{name}.pth' for name in noted]})
    hook._remove_superseded(SimpleNamespace(message_hub=hub, iter=8))
    # one is kept, one the best, one newer than this run
    assert names(tmp_path) == {'epoch_2.pth', 'best_a_epoch_1.pth', 'epoch_9.pth'}


def test_buffers_of_each_process():
    model = nn.Sequential(nn.BatchNorm1d(2))
    model.register_buffer('mean', torch.ones(1), persistent=False)  # SyncBuffersHook averages it, too
    average = EMAHook()
    average.before_run(SimpleNamespace(model=model))
    found = _buffers(SimpleNamespace(model=model, hooks=[Hook(), average]))
    own = ['0.running_mean', '0.running_var', '0.num_batches_tracked', 'mean']
    assert sorted(found) == sorted([f'0 {n}' for n in own] + [f'1 module.{n}' for n in own] + ['1 steps'])
    assert found['0 mean'] is model.mean


def test_a_second_training_of_a_runner_resumes_nothing(monkeypatch):
    hook = ResumableCheckpointHook()
    monkeypatch.setattr(hook, '_go_on', lambda runner: pytest.fail('no checkpoint was loaded'))
    runner = SimpleNamespace(
        iter=4,
        work_dir='/nowhere',
        logger=logging.getLogger(),
        message_hub=SimpleNamespace(runtime_info={}),
        train_loop=None,
        val_loop=None,
    )
    hook.before_train(runner)
    hook.signals.restore()
