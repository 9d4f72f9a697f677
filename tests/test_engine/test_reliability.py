"""Trainings that are killed again and again end with the bits of one that was not; docs/reliability.md."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest
import torch
from training_server import TrainingServer

from mmtranspose.errors import PREEMPTED

EPOCHS, STEPS = 4, 4  # of one process, with batches of 2 of the 8 people
OPTIONS = """
_base_ = [{tiny!r}]
model = dict(neck=dict(dropout=0.1))
train_cfg = dict(max_epochs={epochs}, val_interval=2)
train_dataloader = dict(batch_size=2)
default_hooks = dict(logger=dict(interval=50), checkpoint=dict(interval=1, max_keep_ckpts=2))
custom_hooks = [dict(type='SyncBuffersHook'), dict(type='EMAHook', momentum=0.1)]
"""
TRAINED = ('state_dict', 'ema_state_dict', 'optimizer', 'param_schedulers')
LEFT = {'epoch_3.pth', f'epoch_{EPOCHS}.pth', 'best_coco_AP_epoch_2.pth', 'last_checkpoint'}


@pytest.fixture(scope='module')
def config(tiny_config, tmp_path_factory):
    """The tiny config with dropout, augmentation, moving averages and validations."""
    path = tmp_path_factory.mktemp('config') / 'hard.py'
    path.write_text(OPTIONS.format(tiny=tiny_config, epochs=EPOCHS))
    return path


@pytest.fixture(scope='module')
def unbroken(server, config, tmp_path_factory):
    """Gives what a run without a break ends with: by 1 or 2 processes."""
    folder, ends = tmp_path_factory.mktemp('unbroken'), {}

    def unbroken(ranks: int) -> dict:
        if ranks not in ends:
            work_dir = folder / str(ranks)
            log = folder / f'{ranks}.log'
            assert server.run(config, '--work-dir', work_dir, ranks=ranks, log=log) == [0] * ranks, log.read_text()
            ends[ranks] = end_of(work_dir)
        return ends[ranks]

    return unbroken


def end_of(work_dir: Path, name: str = f'epoch_{EPOCHS}.pth') -> dict:
    checkpoint = torch.load(work_dir / name, weights_only=True)
    return {part: checkpoint[part] for part in TRAINED}


def differences(one: object, other: object, path: str = '') -> list[str]:
    """Where two nested structures differ; tensors bit for bit."""
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return [] if one.dtype == other.dtype and torch.equal(one, other) else [path]
    if isinstance(one, dict) and isinstance(other, dict):
        keys = {**one, **other}
        return [d for key in keys for d in differences(one.get(key), other.get(key), f'{path}.{key}')]
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)) and len(one) == len(other):
        return [d for i, (a, b) in enumerate(zip(one, other)) for d in differences(a, b, f'{path}.{i}')]
    return [] if one == other else [f'{path}: {one} and {other}']


def files(work_dir: Path) -> set[str]:
    return {path.name for path in work_dir.iterdir() if path.is_file() and path.suffix != '.py'}


class Run:
    """One run that is started again after each death, until it ends."""

    def __init__(self, server: TrainingServer, config: Path, folder: Path, ranks: int = 1, options: tuple = ()):
        self.server, self.work_dir, self.log, self.ranks = server, folder / 'work', folder / 'log', ranks
        self.argv = (config, '--work-dir', self.work_dir, '--resume', *options)
        self.statuses: list[int] = []

    def live(self, die_at: list | None = None, after: float | None = None, by: int = signal.SIGKILL) -> int:
        """Train until the process dies or ends; kill all processes ``after`` seconds. Return rank 0's status."""
        pids = self.server.start(*self.argv, die_at=die_at, ranks=self.ranks, log=self.log)
        if after is not None:
            time.sleep(after)
            for pid in pids:
                os.kill(pid, by)
        elif die_at is not None and self.ranks > 1:
            self.statuses += self.server.wait(pids[:1])
            for pid in pids[1:]:
                os.kill(pid, signal.SIGKILL)  # as torchrun does
            self.server.wait(pids[1:])
            return self.statuses[-1]
        self.statuses += self.server.wait(pids)[:1]
        return self.statuses[-1]

    def finish(self) -> dict:
        """Train to the end; return what it ends with."""
        assert self.live() == 0, self.log.read_text()[-3000:]
        assert files(self.work_dir) == LEFT, 'a file is left over or missing'
        return end_of(self.work_dir)


@pytest.mark.parametrize('workers', [0, 1, 2])
def test_killed_in_random_steps(server, config, unbroken, tmp_path, workers):
    loader = f'train_dataloader.num_workers={workers}'
    run = Run(server, config, tmp_path, options=('--save-every', '0.000001', '--cfg-options', loader))
    rng = random.Random(workers)
    for _ in range(4):
        assert run.live(['step', rng.randint(2, 4)]) == -signal.SIGKILL, run.log.read_text()[-3000:]
    assert differences(run.finish(), unbroken(1)) == []


@pytest.mark.parametrize(('first', 'last', 'options'), [(9, 22, ('--save-every', '0.000001')), (1, 6, ())])
def test_killed_in_every_stage_of_writing(server, config, unbroken, tmp_path, first, last, options):
    run = Run(server, config, tmp_path, options=options)
    for moment in range(first, last + 1):
        assert run.live(['write', moment]) == -signal.SIGKILL, run.log.read_text()[-3000:]
    assert differences(run.finish(), unbroken(1)) == []


def test_killed_when_half_of_a_checkpoint_is_written(server, config, unbroken, tmp_path):
    run = Run(server, config, tmp_path, options=('--save-every', '0.000001'))
    for count in (1, 4, 5, 2):
        assert run.live(['half', count]) == -signal.SIGKILL, run.log.read_text()[-3000:]
        assert any(path.name.endswith('.partial') for path in run.work_dir.iterdir())
    assert differences(run.finish(), unbroken(1)) == []


def test_killed_at_random_times(server, config, unbroken, tmp_path):
    options = ('--save-every', '0.000001', '--cfg-options', 'train_dataloader.num_workers=2')
    run = Run(server, config, tmp_path, options=options)
    rng = random.Random(0)
    for _ in range(6):
        run.live(after=rng.uniform(0.1, 0.9))
    assert differences(run.finish(), unbroken(1)) == []


@pytest.mark.parametrize('options', [(), ('--cfg-options', 'train_dataloader.num_workers=1')])
def test_two_processes_killed(server, config, unbroken, tmp_path, options):
    run = Run(server, config, tmp_path, ranks=2, options=('--save-every', '0.000001', *options))
    for die_at in (['step', 2], ['write', 13], ['step', 3]):
        assert run.live(die_at) == -signal.SIGKILL, run.log.read_text()[-3000:]
    assert differences(run.finish(), unbroken(2)) == []


def test_three_processes_killed(server, config, tmp_path):
    """They need ``find_unused_parameters``, with which gradients are summed in one order; docs/reliability.md."""
    options = ('--cfg-options', 'find_unused_parameters=True', 'train_cfg.max_epochs=2')
    ends = []
    for name, kills in (('unbroken', []), ('killed', [['step', 3]])):  # in the second epoch
        run = Run(server, config, tmp_path / name, ranks=3, options=options)
        run.log.parent.mkdir()
        for die_at in kills:
            assert run.live(die_at) == -signal.SIGKILL, run.log.read_text()[-3000:]
        assert run.live() == 0, run.log.read_text()[-3000:]
        ends.append(end_of(run.work_dir, 'epoch_2.pth'))
    assert differences(*ends) == []


@pytest.mark.parametrize(
    ('ranks', 'number', 'steps'),
    [
        (1, signal.SIGTERM, (2, 1, 3)),
        (1, signal.SIGUSR1, (4, 4, 2)),  # at the end of an epoch
        (2, signal.SIGTERM, (2, 1, 1)),  # two processes stop a step later
    ],
)
def test_asked_to_stop(server, config, unbroken, tmp_path, ranks, number, steps):
    run = Run(server, config, tmp_path, ranks=ranks, options=('--cfg-options', 'train_dataloader.num_workers=1'))
    for times, step in enumerate(steps, start=1):
        assert run.live(['ask', step, number]) == PREEMPTED, run.log.read_text()[-3000:]
        assert run.log.read_text().count('asked to stop: saved at step') == times
    assert differences(run.finish(), unbroken(ranks)) == []


def test_asked_to_stop_in_a_validation(server, config, unbroken, tmp_path):
    run = Run(server, config, tmp_path, options=('--cfg-options', 'default_hooks.checkpoint.interval=3'))
    assert run.live(['ask in validation', 1, signal.SIGTERM]) == PREEMPTED, run.log.read_text()[-3000:]
    assert files(run.work_dir) == {'mid_epoch.pth'}  # the second epoch's end, which the interval does not save
    assert run.live() == 0
    assert files(run.work_dir) == LEFT
    assert differences(end_of(run.work_dir), unbroken(1)) == []


def test_a_damaged_newest_checkpoint(server, config, unbroken, tmp_path):
    run = Run(server, config, tmp_path)
    assert run.live(['step', 3 * STEPS + 1]) == -signal.SIGKILL
    newest = run.work_dir / 'epoch_3.pth'
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 4
    newest.write_bytes(content)
    assert differences(run.finish(), unbroken(1)) == []
    assert run.log.read_text().count('epoch_3.pth is damaged') == 1


def test_a_run_without_a_seed(server, config, tmp_path):
    """A seed that was drawn is that of the checkpoint after a resume: the same order of samples, the same dropout."""
    drawn = tmp_path / 'drawn.py'
    drawn.write_text(f'_base_ = [{str(config)!r}]\nrandomness = dict(_delete_=True, seed=None)\n')
    run = Run(server, drawn, tmp_path, options=('--save-every', '0.000001'))
    assert run.live(['step', STEPS + 2]) == -signal.SIGKILL
    seed = torch.load(run.work_dir / 'mid_epoch.pth', weights_only=True)['meta']['seed']
    end = run.finish()
    seeded = Run(server, config, tmp_path / 'seeded', options=('--cfg-options', f'randomness.seed={seed}'))
    seeded.log.parent.mkdir()
    assert differences(seeded.finish(), end) == []


def test_many_restarts(server, config, unbroken, tmp_path):
    run = Run(server, config, tmp_path)
    for _ in range(EPOCHS * STEPS):
        assert run.live(['ask', 1, signal.SIGTERM]) == PREEMPTED, run.log.read_text()[-3000:]
        assert len(files(run.work_dir) - {'last_checkpoint', 'mid_epoch.pth', 'best_coco_AP_epoch_2.pth'}) <= 2
    assert differences(run.finish(), unbroken(1)) == []
