"""Schedules of a run that is resumed from a checkpoint without their state are those of the unbroken run."""

from types import SimpleNamespace

import pytest
import torch
from mmengine.optim import OptimWrapper
from mmengine.registry import PARAM_SCHEDULERS

from mmtranspose.compat.scheduler_resume import fast_forward_schedulers
from mmtranspose.loading.resuming import find_resumable

PER_EPOCH, EPOCHS = 5, 12
SCHEDULES = {
    'warm-up and steps': [
        dict(type='LinearLR', begin=0, end=13, start_factor=0.001, by_epoch=False),
        dict(type='MultiStepLR', milestones=[2, 7, 9], gamma=0.1, by_epoch=True),
    ],
    'warm-up, then cosine by steps': [
        dict(type='LinearLR', begin=0, end=8, start_factor=0.1, by_epoch=False),
        dict(
            type='CosineAnnealingLR', begin=2, end=11, T_max=9, eta_min=1e-5, by_epoch=True, convert_to_iter_based=True
        ),
    ],
    'two that do not commute': [
        dict(type='CosineAnnealingLR', begin=0, end=60, T_max=60, eta_min=1e-3, by_epoch=False),
        dict(type='StepLR', step_size=3, gamma=0.5, by_epoch=True),
    ],
    'momentum': [dict(type='LinearMomentum', begin=1, end=6, start_factor=0.5, by_epoch=True)],
    'none': [],
}


def runner_of(schedule, epoch=0, step=0):
    """What the function needs of a runner."""
    parameters = [torch.nn.Parameter(torch.zeros(1)) for _ in range(2)]
    groups = [dict(params=parameters[:1], lr=0.1), dict(params=parameters[1:], lr=0.5)]
    optimizer = OptimWrapper(torch.optim.SGD(groups, momentum=0.9))
    options = [{**one} for one in schedule]
    for one in options:
        if one.pop('convert_to_iter_based', False):
            one.update(convert_to_iter_based=True, epoch_length=PER_EPOCH)
    built = [
        PARAM_SCHEDULERS.build(one, default_args=dict(optimizer=optimizer))
        if not one.pop('convert_to_iter_based', False)
        else PARAM_SCHEDULERS.get(one.pop('type')).build_iter_from_epoch(optimizer, **one)
        for one in options
    ]
    return SimpleNamespace(
        optim_wrapper=optimizer,
        param_schedulers=built,
        epoch=epoch,
        iter=step,
        max_iters=PER_EPOCH * EPOCHS,
        max_epochs=EPOCHS,
    )


def values(runner):
    return [(group['lr'], group['momentum']) for group in runner.optim_wrapper.param_groups]


def train_a_step(runner):
    """Step the schedulers as mmengine's ParamSchedulerHook does."""
    runner.optim_wrapper.step()
    for scheduler in runner.param_schedulers:
        if not scheduler.by_epoch:
            scheduler.step()
    runner.iter += 1
    if runner.iter % PER_EPOCH == 0:
        for scheduler in runner.param_schedulers:
            if scheduler.by_epoch:
                scheduler.step()
        runner.epoch += 1


@pytest.mark.parametrize('name', SCHEDULES)
@pytest.mark.parametrize('several_optimizers', [False, True])
def test_values_are_those_of_the_unbroken_run(name, several_optimizers):
    unbroken = runner_of(SCHEDULES[name])
    for _ in range(PER_EPOCH * EPOCHS):
        resumed = runner_of(SCHEDULES[name], unbroken.epoch, unbroken.iter)
        schedulers = resumed.param_schedulers
        resumed.param_schedulers = {'pose': schedulers} if several_optimizers else schedulers
        for _ in range(2):  # a second time changes nothing
            fast_forward_schedulers(resumed)
            assert values(resumed) == values(unbroken)
        resumed.param_schedulers = schedulers
        train_a_step(unbroken)
        train_a_step(resumed)
        assert values(resumed) == values(unbroken)


def test_what_cannot_be_stepped_stays():
    for schedulers in (None, [], [dict(type='MultiStepLR', milestones=[2])]):  # of a config, not built yet
        runner = runner_of([], epoch=3, step=15)
        runner.param_schedulers = schedulers
        fast_forward_schedulers(runner)
    runner = runner_of([dict(type='ReduceOnPlateauLR', monitor='loss', rule='less')], epoch=3, step=15)
    fast_forward_schedulers(runner)
    assert values(runner) == values(runner_of([]))


def test_the_learning_rate_after_resuming_from_the_best(tiny_config, run_command, tmp_path, monkeypatch):
    """``train --resume`` where only ``best_*.pth`` is left, at the end of epoch 2, beside the unbroken run."""
    from mmengine.runner import Runner

    def train(*flags):
        rates = []
        call_hook = Runner.call_hook

        def watch(runner, name, **arguments):
            if name == 'before_train_iter':
                rates.append((runner.iter, runner.optim_wrapper.get_lr()['lr']))
            call_hook(runner, name, **arguments)

        with monkeypatch.context() as patch:
            patch.setattr(Runner, 'call_hook', watch)
            options = ('train_cfg.max_epochs=4', 'param_scheduler.0.end=3', f'experiment_name=rates{len(flags)}')
            run_command('train', tiny_config, '--work-dir', tmp_path / 'work', *flags, '--cfg-options', *options)
        return dict(rates)

    unbroken = train()
    (best,) = (tmp_path / 'work').glob('best_*.pth')
    content = torch.load(best, weights_only=True)
    content['meta'].update(epoch=2, iter=4)
    for path in (tmp_path / 'work').glob('*.pth'):
        path.unlink()
    torch.save(content, best)
    assert find_resumable(tmp_path / 'work') == best
    resumed = train('--resume')
    assert list(resumed) == list(unbroken)[4:] and all(resumed[step] == unbroken[step] for step in resumed)
    assert len({tuple(rate) for rate in unbroken.values()}) >= 4
