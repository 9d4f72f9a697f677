"""The guard against losses and weights that are NaN or infinite. Two processes: test_two_processes.py."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest
import torch
from mmengine.optim import AmpOptimWrapper, OptimWrapper

from mmtranspose.engine.hooks import DeferredRuntimeInfoHook
from mmtranspose.engine.loops import ResumableTrainLoop
from mmtranspose.engine.non_finite import MOST_SKIPPED, LossGuard, Step, require_finite_state
from mmtranspose.errors import InputError, TrainingError

NAN, INF = float('nan'), float('inf')


@pytest.fixture
def runner(tmp_path):
    """A runner in its second epoch that has written a checkpoint."""
    (tmp_path / 'epoch_1.pth').touch()
    scalars, warnings = [], []
    return SimpleNamespace(
        epoch=1,
        train_loop=None,
        scalars=scalars,
        warnings=warnings,
        logger=SimpleNamespace(warning=warnings.append),
        message_hub=SimpleNamespace(
            runtime_info=dict(last_ckpt=str(tmp_path / 'epoch_1.pth')),
            update_scalar=lambda name, value: scalars.append((name, value)),
        ),
    )


def steps(*losses, first=4):
    return [Step(first + n, n, dict(loss=loss, loss_kpt=loss, acc_pose=NAN)) for n, loss in enumerate(losses)]


@pytest.mark.parametrize(
    ('losses', 'step'), [((1.0, 2.0), None), ((1.0, NAN, INF), 6), ((INF,), 5), ((0.0, -INF), 6), ((), None)]
)
def test_the_first_bad_loss_stops(runner, losses, step):
    if step is None:
        LossGuard().check(steps(*losses), runner)  # an accuracy may be NaN: nobody is visible
        return
    with pytest.raises(TrainingError, match=rf'^training stopped: loss_kpt is -?(nan|inf) at step {step} \(epoch 2, '):
        LossGuard().check(steps(*losses), runner)


def test_the_message_names_samples_checkpoint_and_cure(runner, tmp_path):
    loop = ResumableTrainLoop.__new__(ResumableTrainLoop)
    loop.sample_names = lambda batch: [f'{batch}.jpg (id {n})' for n in range(12)]
    runner.train_loop = loop
    with pytest.raises(TrainingError) as error:
        LossGuard().check(steps(1.0, NAN), runner)
    assert str(error.value) == (
        'training stopped: loss_kpt is nan at step 6 (epoch 2, batch 2); the samples of that batch: '
        + ', '.join(f'1.jpg (id {n})' for n in range(10))
        + f', ... and 2 more; last good checkpoint: {tmp_path}/epoch_1.pth. Lower optim_wrapper.optimizer.lr or set '
        'optim_wrapper.clip_grad=dict(max_norm=1.0), and start again; --resume goes on from the last checkpoint'
    )


def test_a_checkpoint_that_was_never_written_is_not_named(runner, tmp_path):
    (tmp_path / 'epoch_1.pth').unlink()  # mmengine notes its name before it writes
    with pytest.raises(TrainingError, match='batch 1\\); no checkpoint was written before'):
        LossGuard().check(steps(NAN), runner)


def test_skipped_steps_are_counted_and_logged(runner):
    guard = LossGuard('skip')
    guard.check(steps(NAN, 1.0, INF), runner)
    guard.check(steps(NAN, first=7), runner)
    assert guard.skipped == 3
    assert runner.scalars == [('train/skipped_steps', n) for n in (1, 2, 3)]
    assert [re.search(r'step (\d+)', line)[1] for line in runner.warnings] == ['5', '7', '8']
    assert 'loss_kpt is nan at step 8' in runner.warnings[-1] and 'the step was skipped' in runner.warnings[-1]


@pytest.mark.parametrize('pause', [None, 30])
def test_a_hundred_skipped_steps_in_a_row_stop(runner, pause):
    guard = LossGuard('skip')
    losses = [NAN] * (MOST_SKIPPED - 1)
    if pause is not None:
        losses[pause] = 1.0
    guard.check(steps(*losses), runner)
    if pause is None:
        with pytest.raises(TrainingError, match=f'at step {4 + MOST_SKIPPED} '):
            guard.check(steps(NAN, first=3 + MOST_SKIPPED), runner)
    else:
        guard.check(steps(NAN, first=3 + MOST_SKIPPED), runner)
        assert guard.skipped == MOST_SKIPPED - 1


@pytest.mark.parametrize('kind', [OptimWrapper, AmpOptimWrapper])
def test_only_a_loss_scale_can_skip(kind):
    runner = SimpleNamespace(optim_wrapper=kind.__new__(kind))
    LossGuard('stop').before_train(runner)
    if kind is AmpOptimWrapper:
        LossGuard('skip').before_train(runner)
        return
    with pytest.raises(
        InputError, match=r"needs optim_wrapper\.type='AmpOptimWrapper'.*; OptimWrapper would take them"
    ):
        LossGuard('skip').before_train(runner)


def test_an_unknown_action():
    with pytest.raises(InputError, match="non_finite='ignore' is unknown; choose 'stop' or 'skip'"):
        DeferredRuntimeInfoHook(non_finite='ignore')


def good():
    return torch.ones(2, 3)


def checkpoint(**changes):
    adam = dict(state={0: dict(step=torch.tensor(3.0), exp_avg=good())}, param_groups=[dict(lr=0.1, params=[0])])
    several = dict(backbone=adam, head=dict(state={0: dict(momentum_buffer=None)}))
    whole = dict(
        meta=dict(score=NAN),
        state_dict=dict(weight=good(), num_batches_tracked=torch.tensor(4), _metadata='x'),
        ema_state_dict={'steps': torch.tensor(4), 'module.weight': good()},
        optimizer=several,
        message_hub=dict(scalar=torch.tensor(NAN)),
    )
    return {**whole, **changes}


def bad():
    return torch.tensor([[1.0, INF]])


@pytest.mark.parametrize(
    ('changes', 'named'),
    [
        ({}, None),
        (dict(optimizer=None, ema_state_dict=None), None),
        (dict(state_dict=dict(weight=bad())), 'weight'),
        (dict(state_dict=dict(weight=bad().half(), bias=bad().double())), 'weight, bias'),
        (dict(ema_state_dict={'module.weight': bad()}), 'ema_state_dict module.weight'),
        (dict(optimizer=dict(state={0: {}, 5: dict(exp_avg_sq=bad())})), 'optimizer.state.5.exp_avg_sq'),
        (dict(optimizer=dict(head=dict(state={1: dict(old=[good(), bad()])}))), 'optimizer.head.state.1.old.1'),
    ],
)
def test_a_checkpoint_is_looked_through(runner, changes, named):
    if named is None:
        require_finite_state(checkpoint(**changes), runner)
        return
    with pytest.raises(
        TrainingError, match=f'NaN or infinity in {re.escape(named)}, so this checkpoint was not written'
    ):
        require_finite_state(checkpoint(**changes), runner)


def test_a_training_that_diverges_leaves_no_checkpoint(tiny_config, run_command, tmp_path):
    options = ('optim_wrapper.optimizer.lr=1e38', 'optim_wrapper.optimizer.fused=False', 'experiment_name=diverges')
    with pytest.raises(
        TrainingError, match=r'^training stopped: loss_kpt is (nan|inf) at step 2 \(epoch 1, batch 2\); '
    ):
        run_command('train', tiny_config, '--work-dir', tmp_path, '--cfg-options', *options)
    assert list(tmp_path.glob('*.pth')) == []
