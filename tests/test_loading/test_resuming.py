"""The checkpoint that a broken training goes on from."""

import os
import re

import numpy as np
import pytest
import torch
from mmengine.config import Config

from mmtranspose.errors import InputError
from mmtranspose.loading import resuming
from mmtranspose.loading.resuming import find_resumable, tell_of_finished, tell_of_newest, warn_of_newer
from mmtranspose.loading.weights_comparison import weights_digest

PER_EPOCH = 4


class Note:
    """What a custom hook may put into the message hub."""


@pytest.fixture
def logged(monkeypatch):
    lines = []
    monkeypatch.setattr(resuming, 'print_log', lambda message, logger, level: lines.append(message))
    return lines


def write(folder, name, damage=None, **meta):
    """Write a checkpoint whose epoch and step are those of its name, unless they are given."""
    number = int((re.findall(r'\d+', name) or ['0'])[-1])
    steps = number * PER_EPOCH if 'epoch_' in name else number
    meta = {'epoch': steps // PER_EPOCH, 'iter': steps, **meta}
    state_dict = {'weight': torch.randn(400), 'bias': torch.randn(400)}
    content = {'meta': meta, 'state_dict': state_dict, 'message_hub': {}, 'optimizer': {}}
    meta['weights_digest'] = weights_digest(state_dict)
    if damage == 'nan':
        state_dict['bias'][7] = float('nan')
    elif damage == 'swapped':
        content['state_dict'] = {'weight': state_dict['bias'], 'bias': state_dict['weight']}
    elif damage == 'unknown':
        content['message_hub'] = {'runtime_info': {'note': Note()}}
    elif damage == 'code':
        content['message_hub'] = {'runtime_info': {'note': os.system}}
    elif damage == 'no log':
        del content['message_hub']
    elif damage == 'no step':
        del meta['iter']
    if damage == 'nan':
        meta['weights_digest'] = weights_digest(state_dict)
    path = folder / name
    torch.save(content, path)
    data = bytearray(path.read_bytes())
    if damage == 'truncated':
        path.write_bytes(data[:-600])
    elif damage == 'flipped':
        data[data.index(state_dict['weight'].numpy().tobytes()) + 5] ^= 1
        path.write_bytes(data)
    elif damage == 'empty':
        path.write_bytes(b'')
    return path


REASONS = {
    'truncated': 'is damaged: it is truncated',
    'flipped': 'is damaged: its entry [a-z_0-9]+/data/[01] is not as its check sum says',
    'empty': 'is damaged: the file is empty',
    'nan': r'has weights that are not finite \(NaN or infinite\), in 1 tensors: bias; its training had diverged',
    'swapped': 'its weights are not those that were written',
    'unknown': r'holds an object of the class test_resuming.Note, .*add_safe_globals\(\[test_resuming.Note\]\)',
    'code': 'is refused: besides weights it holds [a-z]+.system, which could run code',
    'no log': 'has no message_hub',
    'no step': 'holds weights alone',
}


@pytest.mark.parametrize('damage', REASONS)
@pytest.mark.parametrize('zeroth', ['epoch_1.pth', 'best_coco_AP_epoch_1.pth'])
def test_what_cannot_be_used_is_passed_over_and_said_once(tmp_path, logged, damage, zeroth):
    older, newer = write(tmp_path, zeroth), write(tmp_path, 'epoch_2.pth', damage)
    assert find_resumable(tmp_path) == older
    assert re.fullmatch(f'checkpoint {newer}:? {REASONS[damage]}.*; trying the one before it', logged[0])
    assert len(logged) == 1 + zeroth.startswith('best')


def test_where_none_can_be_used_nothing_is_touched(tmp_path, logged):
    files = {write(tmp_path, f'epoch_{number}.pth', damage): damage for number, damage in enumerate(REASONS)}
    files[write(tmp_path, 'best_AP_epoch_3.pth', 'nan')] = 'nan'
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(InputError) as caught:
        find_resumable(tmp_path)
    words = str(caught.value)
    assert words.startswith(f'no training can be resumed in {tmp_path}: none of its 10 checkpoints can be used, and ')
    assert all(re.search(f'checkpoint {path}:? {REASONS[damage]}', words) for path, damage in files.items())
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before and logged == []


@pytest.mark.parametrize(
    ('whole', 'truncated', 'expected', 'said'),
    [
        (['epoch_1', 'epoch_2'], [], 'epoch_2', []),
        (['epoch_9', 'epoch_10', 'epoch_2'], [], 'epoch_10', []),  # by number, not by name
        (['epoch_1', 'epoch_2'], ['epoch_3'], 'epoch_2', ['epoch_3']),
        (['epoch_1'], ['epoch_2', 'epoch_3'], 'epoch_1', ['epoch_3', 'epoch_2']),
        (['epoch_2', 'epoch_4'], ['epoch_3'], 'epoch_4', []),  # an older one is not looked at
        (['iter_500', 'iter_1000'], ['iter_1500'], 'iter_1000', ['iter_1500']),
        (['iter_9', 'epoch_2'], ['iter_7'], 'iter_9', []),  # epoch 2 is step 8
        (['iter_7', 'epoch_2'], ['epoch_3'], 'epoch_2', ['epoch_3']),
        (['epoch_2', 'best_coco_AP_epoch_7'], [], 'epoch_2', []),  # the best one has no state of the optimizer
        (['best_AP_epoch_3', 'best_AR_epoch_5'], ['epoch_6'], 'best_AR_epoch_5', ['epoch_6']),
        (['epoch_2', 'epoch_x', 'my_epoch_8', 'best', 'last'], [], 'epoch_2', []),
        ([], [], None, []),
        (['my_epoch_8', 'pretrained'], [], None, []),
    ],
)
def test_the_newest_by_its_own_step(tmp_path, logged, whole, truncated, expected, said):
    for name in [*whole, *truncated]:
        write(tmp_path, f'{name}.pth', 'truncated' if name in truncated else None)
    (tmp_path / 'epoch_99.pth').mkdir()
    assert find_resumable(tmp_path) == (expected and tmp_path / f'{expected}.pth')
    passed_over = [line for line in logged if 'trying the one before it' in line]
    assert [re.search(r'(\w+)\.pth', line)[1] for line in passed_over] == said
    last = logged[len(passed_over) :]
    if expected is None:
        assert last == [f'no checkpoint to resume from in {tmp_path}; training starts from the beginning']
    elif expected.startswith('best'):
        assert 'weights but no state of the optimizer: that starts anew' in last[0] and len(last) == 1
    else:
        assert last == []


@pytest.mark.parametrize(('step', 'expected'), [(7, 'epoch_2.pth'), (8, 'epoch_2.pth'), (9, 'mid_epoch.pth')])
@pytest.mark.parametrize('damage', [None, 'flipped'])
def test_the_middle_of_an_epoch(tmp_path, logged, step, expected, damage):
    write(tmp_path, 'epoch_2.pth')
    write(tmp_path, 'mid_epoch.pth', damage, epoch=(step - 1) // PER_EPOCH, iter=step)
    assert find_resumable(tmp_path).name == (expected if damage is None else 'epoch_2.pth')
    write(tmp_path, 'mid_epoch.pth', 'truncated')  # has neither a step nor a number: it is taken for the newest
    assert find_resumable(tmp_path).name == 'epoch_2.pth' and 'mid_epoch.pth is damaged' in logged[-1]


def test_the_name_does_not_count_where_the_step_is_known(tmp_path):
    write(tmp_path, 'epoch_9.pth', epoch=1, iter=4)
    write(tmp_path, 'epoch_2.pth')
    assert find_resumable(tmp_path).name == 'epoch_2.pth'


@pytest.mark.parametrize('step', ['4', None, float('nan'), np.float64(3), [], True])
def test_odd_steps_do_no_harm(tmp_path, logged, step):
    write(tmp_path, 'epoch_9.pth', iter=step)
    write(tmp_path, 'epoch_2.pth')
    assert find_resumable(tmp_path) is not None


def test_files_of_old_torch(tmp_path):
    content = {'meta': {'epoch': 3, 'iter': 12}, 'state_dict': {'w': torch.ones(2)}, 'message_hub': {}}
    torch.save(content, tmp_path / 'epoch_3.pth', _use_new_zipfile_serialization=False)
    write(tmp_path, 'epoch_2.pth')
    assert find_resumable(tmp_path).name == 'epoch_3.pth'


@pytest.mark.parametrize(('variable', 'rank', 'count'), [('RANK', '1', 0), ('RANK', '0', 1), ('SLURM_PROCID', '2', 0)])
def test_one_of_several_processes_says_it(tmp_path, logged, monkeypatch, variable, rank, count):
    monkeypatch.setenv(variable, rank)
    assert find_resumable(tmp_path) is None and len(logged) == count


@pytest.mark.parametrize(
    ('resumed', 'named'),
    [
        ('epoch_1.pth', 'epoch_2.pth, mid_epoch.pth'),
        ('epoch_2.pth', 'mid_epoch.pth'),
        ('mid_epoch.pth', None),
        ('x', None),
    ],
)
def test_newer_checkpoints_than_the_one_that_was_asked_for(tmp_path, logged, resumed, named):
    for name in ('epoch_1.pth', 'epoch_2.pth', 'best_a_epoch_2.pth'):
        write(tmp_path, name)
    write(tmp_path, 'mid_epoch.pth', epoch=2, iter=9)
    write(tmp_path, 'epoch_7.pth', 'truncated')
    warn_of_newer(tmp_path / resumed, tmp_path)
    assert len(logged) == (named is not None)
    assert not logged or f'resuming from {tmp_path}/{resumed}, though {named} in {tmp_path} is newer: ' in logged[0]


def test_what_an_interrupted_training_leaves(tmp_path, logged):
    tell_of_newest(tmp_path / 'new')
    write(tmp_path, 'best_a_epoch_2.pth')
    tell_of_newest(tmp_path)
    write(tmp_path, 'epoch_1.pth')
    tell_of_newest(tmp_path)
    write(tmp_path, 'mid_epoch.pth', epoch=1, iter=6)
    tell_of_newest(tmp_path)
    nothing, *rest = logged
    assert nothing.startswith(f'nothing is saved in {tmp_path / "new"} yet: --resume starts from the beginning')
    assert rest == [
        f'--resume goes on from {tmp_path / name} (step {step}), the last that was saved'
        for name, step in (('best_a_epoch_2.pth', 8), ('epoch_1.pth', 4), ('mid_epoch.pth', 6))
    ]


@pytest.mark.parametrize(('resume', 'steps', 'said'), [(True, 8, True), (True, 9, False), (False, 8, False)])
def test_a_training_without_steps_to_go(tmp_path, logged, resume, steps, said):
    path = write(tmp_path, 'epoch_2.pth')
    tell_of_finished(Config(dict(resume=resume, load_from=str(path))), steps)
    assert [line.startswith(f'{path} has all 8 steps of this training') for line in logged] == [True] * said
