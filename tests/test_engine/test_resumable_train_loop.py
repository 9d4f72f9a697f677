"""The parts of an exact resume: seeds of samples and steps, the place in an epoch. Whole runs: test_reliability.py."""

from __future__ import annotations

import pickle
import random

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import DefaultSampler
from mmengine.logging import MessageHub, MMLogger
from mmengine.runner import Runner, ValLoop
from mmpose.registry import DATA_SAMPLERS
from mmpose.visualization import PoseLocalVisualizer
from torch.utils.data import DataLoader

from mmtranspose.engine.loops import ResumableTrainLoop
from mmtranspose.engine.loops.resumable_loader import (
    ResumableSampler,
    SampleIndex,
    SeededDataset,
    resumable_loader,
    seed_random_states,
)
from mmtranspose.errors import InputError, TrainingError


class Draws:
    """A dataset whose samples are random numbers, one of each kind."""

    def __init__(self, length=10):
        self.length, self.metainfo = length, dict(name='draws')

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        return torch.tensor([index, random.random(), np.random.rand(), torch.rand(()).item()], dtype=torch.float64)


class GoesOn(DefaultSampler):
    """A sampler that goes on where the last epoch ended, as MMPose's MultiSourceSampler: 0 1 2, 3 4 5, ..."""

    def __iter__(self):
        self.first = getattr(self, 'first', -3) + 3
        return iter(range(self.first, self.first + 3))

    def __len__(self):
        return 3


class Repeats(DefaultSampler):
    """A sampler that hands out samples more than once in an epoch, as MMPose's MultiSourceSampler: 0 1 0 1 0 1."""

    def __iter__(self):
        return iter([0, 1] * 3)

    def __len__(self):
        return 6


@pytest.fixture(autouse=True, scope='module')
def registered():
    for sampler in (GoesOn, Repeats):
        DATA_SAMPLERS.register_module(module=sampler)
    yield
    for sampler in (GoesOn, Repeats):
        del DATA_SAMPLERS._module_dict[sampler.__name__]


def draws():
    return [random.random(), np.random.rand(), torch.rand(()).item()]


def sampled(num_workers=0, epochs=(0,), skipped=0, seed=7, sampler='DefaultSampler', **loader):
    """The batches of epochs, drawn by a new loader."""
    dataset = SeededDataset(Draws())
    sampler = ResumableSampler(dataset, dict(type=sampler))
    loader = DataLoader(dataset, batch_size=2, sampler=sampler, num_workers=num_workers, **loader)
    batches = []
    for epoch in epochs:
        sampler.begin(seed, epoch, skipped)
        batches += [batch.tolist() for batch in loader]
    return batches


def test_a_key_gives_the_same_numbers_and_another_key_others():
    seed_random_states(1, 2, 3)
    first = draws()
    seed_random_states(1, 2, 4)
    other = draws()
    seed_random_states(1, 2, 3)
    assert draws() == first
    assert not set(first) & set(other)


@pytest.mark.parametrize(
    ('device', 'in_use', 'called'),
    [('cpu', False, []), ('cuda', False, []), ('cuda', True, ['GPUs']), ('npu', False, ['all devices'])],
)
def test_devices_that_are_in_use_are_seeded(monkeypatch, device, in_use, called):
    python, numpy, pytorch = np.random.SeedSequence((1, 2, 3)).generate_state(3).tolist()
    random.seed(python), np.random.seed(numpy), torch.manual_seed(pytorch)
    expected, seeds = draws(), {}

    def seed_all(seed):
        seeds['all devices'] = seed
        torch.default_generator.manual_seed(seed)

    monkeypatch.setattr('mmtranspose.engine.loops.resumable_loader.get_device', lambda: device)
    monkeypatch.setattr(torch.cuda, 'is_initialized', lambda: in_use)
    monkeypatch.setattr(torch.cuda, 'manual_seed_all', lambda seed: seeds.update(GPUs=seed))
    monkeypatch.setattr(torch, 'manual_seed', seed_all)
    seed_random_states(1, 2, 3)
    assert draws() == expected
    assert seeds == dict.fromkeys(called, pytorch)


def test_an_index_pickles_with_what_seeds_its_sample():
    index = pickle.loads(pickle.dumps(SampleIndex(5, seed=8, epoch=3, repetition=2)))
    assert (index, index.seed, index.epoch, index.repetition, index + 1) == (5, 8, 3, 2, 6)
    assert isinstance(index, int)


@pytest.mark.parametrize('workers', [1, 2])
def test_samples_do_not_depend_on_the_number_of_workers(workers):
    alone = sampled(epochs=(0, 1))
    assert sampled(workers, epochs=(0, 1), persistent_workers=True) == alone
    values = [value for batch in alone for sample in batch for value in sample[1:]]
    assert len(set(values)) == len(values)  # both epochs and all samples draw their own


@pytest.mark.parametrize('change', [dict(seed=8), dict(epochs=(1,))])
def test_seed_and_epoch_change_order_and_augmentation(change):
    first, other = ({s[0]: s[1:] for batch in b for s in batch} for b in (sampled(), sampled(**change)))
    assert list(first) != list(other)
    assert sorted(first) == sorted(other)
    assert all(first[index] != other[index] for index in first)


@pytest.mark.parametrize('skipped', [0, 2, 8, 10])
def test_an_epoch_begins_in_its_middle_without_loading_what_comes_before(monkeypatch, skipped):
    whole, loaded = sampled(), []
    monkeypatch.setattr(
        Draws, '__getitem__', (lambda load: lambda self, i: (loaded.append(i), load(self, i))[1])(Draws.__getitem__)
    )
    assert sampled(skipped=skipped) == whole[skipped // 2 :]
    assert len(loaded) == 10 - skipped


def test_a_sampler_that_goes_on_from_epoch_to_epoch_is_brought_to_its_place():
    assert [[s[0] for s in batch] for batch in sampled(epochs=(0, 1, 2), sampler='GoesOn')] == [
        [0, 1], [2], [3, 4], [5], [6, 7], [8]
    ]  # fmt: skip
    assert [[s[0] for s in batch] for batch in sampled(epochs=(2,), skipped=2, sampler='GoesOn')] == [[8]]
    assert [s[0] for batch in sampled(epochs=(1, 2), sampler='GoesOn') for s in batch] == [3, 4, 5, 6, 7, 8]


def test_a_sample_that_an_epoch_repeats_is_augmented_anew(monkeypatch):
    batches = sampled(sampler='Repeats')
    samples = [tuple(sample[1:]) for batch in batches for sample in batch]
    assert len(set(samples)) == 6
    assert sampled(sampler='Repeats', skipped=4) == batches[2:]  # and is the same in a run that was resumed
    in_processes = set()
    for rank in range(2):
        monkeypatch.setattr('mmtranspose.engine.loops.resumable_loader.get_dist_info', lambda rank=rank: (rank, 2))
        in_processes |= {tuple(sample[1:]) for batch in sampled(sampler='Repeats') for sample in batch}
        assert sampled()[0] == first_of_default_sampler()  # its one order does not depend on the processes
    assert len(in_processes) == 12


def first_of_default_sampler():
    """The first batch of epoch 0 of DefaultSampler, seeded by hand."""
    rows = []
    for index in list(DefaultSampler(Draws(), seed=7))[:2]:
        seed_random_states(0, 7, 0, index)
        rows.append([index, *draws()])
    return rows


def test_the_seeded_dataset_is_the_dataset_to_everybody_else():
    dataset = SeededDataset(Draws())
    dataset.length = 4  # as hooks that replace a pipeline
    assert (len(dataset), dataset.dataset.length, dataset.metainfo) == (4, 4, dict(name='draws'))
    assert not hasattr(dataset, 'full_init')
    assert len(pickle.loads(pickle.dumps(dataset))) == 4
    random.seed(3)
    expected = random.random()
    random.seed(3)
    assert dataset[1][1] == expected  # a plain index seeds nothing


@pytest.mark.parametrize(
    ('config', 'words'),
    [
        (dict(dataset={}, sampler={}, batch_sampler=dict(type='B')), r'train_dataloader\.batch_sampler'),
        (dict(dataset=Draws(), sampler={}), r'train_dataloader\.dataset must be a config'),
        (dict(dataset={}), r'train_dataloader\.sampler must be a config'),
        (None, 'train_dataloader is a loader that is built already'),
    ],
)
def test_loaders_that_cannot_be_resumed(config, words):
    with pytest.raises(InputError, match=words):
        resumable_loader(config)


@pytest.fixture
def runner(tiny_config, tmp_path):
    """Makes runners of the tiny config, with batches of 2 of the 6 people."""

    def make(name, **options):
        for kind in (PoseLocalVisualizer, MessageHub, MMLogger):
            kind._instance_dict.clear()
        cfg = Config.fromfile(tiny_config)
        cfg.merge_from_dict({'train_dataloader.batch_size': 2, **options})
        cfg.work_dir, cfg.experiment_name, cfg.log_level = str(tmp_path / name), f'{tmp_path.name} {name}', 'ERROR'
        return Runner.from_cfg(cfg)

    return make


def test_the_loop_is_that_of_our_configs(runner):
    loop = runner('ours').train_loop
    assert isinstance(loop, ResumableTrainLoop)
    assert (loop.seed, loop.layout) == (0, (len(loop.dataloader.dataset), 2, 1))


@pytest.mark.parametrize('name', ['max_epochs', 'val_interval', 'val_begin'])
def test_numbers_below_one(runner, name):
    with pytest.raises(InputError, match=rf'train_cfg\.{name}=0 must be at least 1'):
        _ = runner(name, **{f'train_cfg.{name}': 0}).train_loop


@pytest.mark.parametrize(
    ('changes', 'done'),
    [
        ({}, 2),
        (dict(layout=[7, 1, 1]), 0),  # another batch size: the epoch starts over
        (dict(layout=[7, 2, 2], batches=0, of=2), 0),
        (dict(layout=[7, 1, 1], batches=7, of=7), 4),  # a whole epoch stays one
    ],
)
def test_where_in_its_epoch_a_run_goes_on(runner, changes, done):
    loop = runner('cut').train_loop
    position = loop.position(batches=2)
    assert position == dict(batches=2, of=4, layout=[7, 2, 1], validated=False)
    loop.resume_at({**position, **changes})
    assert loop.done == done


@pytest.mark.parametrize(
    ('epoch', 'batches', 'validated', 'validations'),
    [(2, 0, False, 1), (2, 0, True, 0), (2, 1, False, 0), (1, 0, False, 0), (3, 0, False, 1), (0, 0, False, 0)],
)
def test_a_validation_is_made_up_for_if_it_is_missing(runner, epoch, batches, validated, validations):
    loop, runs = runner('missed', **{'train_cfg.max_epochs': 3, 'train_cfg.val_interval': 2}).train_loop, []
    loop.runner._val_loop = ValLoop.__new__(ValLoop)
    loop.runner._val_loop.run = lambda: runs.append(1)
    loop._epoch = epoch
    loop.resume_at(loop.position(batches, validated))
    loop.run_missed_validation()
    assert len(runs) == validations


def test_samples_of_a_batch_by_name(runner):
    run = runner('names')
    loop = run.train_loop
    loop.done = 1
    loop.sampler.begin(loop.seed, 0, skipped=2)
    assert len(list(loop.dataloader)) == 3
    order = list(DefaultSampler(loop.dataloader.dataset, shuffle=True, seed=0))
    infos = [loop.dataloader.dataset.get_data_info(index) for index in order[4:6]]
    assert loop.sample_names(2) == [f'{info["img_path"]} (id {info["id"]})' for info in infos]
    loop.dataloader.dataset.__dict__['dataset'] = Draws()  # a dataset that does not say what its samples are
    assert loop.sample_names(2) == [f'sample {index} (id unknown)' for index in order[4:6]]


def test_a_learning_rate_beyond_float32(runner):
    adam = dict(type='Adam', lr=1e38, fused=False)
    run = runner('beyond', optim_wrapper=dict(optimizer=adam), param_scheduler=None)
    with pytest.raises(TrainingError, match=r'stopped at step 1: its learning rate is too large.*optim_wrapper\.opt'):
        run.train()
