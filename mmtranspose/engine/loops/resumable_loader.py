"""A data loader whose samples do not depend on the number of workers, nor on where a run was broken off.

The sampler hands out indices that carry the seed of the run and the epoch; the dataset seeds Python, NumPy and PyTorch
from these and the index before it loads the sample; a sample that an epoch repeats (as ``MultiSourceSampler`` does) is
augmented anew each time. The sampler can also begin in the middle of an epoch.
"""

from __future__ import annotations

import collections
import itertools
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from mmengine.dataset import DefaultSampler
from mmengine.device import get_device
from mmengine.dist import get_dist_info
from mmpose.registry import DATA_SAMPLERS, DATASETS
from torch.utils.data import Dataset, Sampler

from mmtranspose.errors import InputError

SAMPLES, STEPS = 0, 1  # what is seeded: the first word of the key keeps the two apart


def seed_random_states(*key: int) -> None:
    """Seed Python, NumPy and PyTorch (CPU, and GPUs once they are in use) of this process.

    Args:
        *key (int): Numbers from 0 on; other keys give independent random numbers.
    """
    python, numpy, pytorch = np.random.SeedSequence(key).generate_state(3).tolist()
    random.seed(python)
    np.random.seed(numpy)
    if get_device() in ('cpu', 'cuda'):  # torch.manual_seed puts seeds aside for every kind of device: up to 0.7 ms
        torch.default_generator.manual_seed(pytorch)
        if torch.cuda.is_initialized():
            torch.cuda.manual_seed_all(pytorch)
    else:
        torch.manual_seed(pytorch)


class SampleIndex(int):
    """The index of a sample in a dataset, with what seeds its augmentation; pickles whole.

    Attributes:
        seed (int): Of the run.
        epoch (int): Counted from 0.
        repetition (int): Of the sample in its epoch: 0 the first time.
    """

    seed: int
    epoch: int
    repetition: int

    def __new__(cls, index: int, seed: int, epoch: int, repetition: int = 0) -> SampleIndex:
        """Make an index."""
        self = super().__new__(cls, index)
        self.seed, self.epoch, self.repetition = seed, epoch, repetition
        return self

    def __reduce__(self) -> tuple:
        return SampleIndex, (int(self), self.seed, self.epoch, self.repetition)


class SeededDataset(Dataset):
    """Seeds all random states before it loads a sample, if the index is a :class:`SampleIndex`.

    Everything else, as ``metainfo`` or a ``pipeline`` that a hook replaces, is the dataset's own.

    Args:
        dataset (Dataset): Any dataset with indices.
    """

    def __init__(self, dataset: Any):
        self.__dict__['dataset'] = dataset

    def __getitem__(self, index: int) -> Any:
        if isinstance(index, SampleIndex):
            repetition = [index.repetition] if index.repetition else []
            seed_random_states(SAMPLES, index.seed, index.epoch, index, *repetition)
        return self.dataset[int(index)]

    def __len__(self) -> int:
        return len(self.dataset)

    def __getattr__(self, name: str) -> Any:
        if name.startswith('__') or 'dataset' not in self.__dict__:  # while it is unpickled
            raise AttributeError(name)
        return getattr(self.dataset, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.dataset, name, value)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    def __deepcopy__(self, memo: dict) -> SeededDataset:
        return self  # mmengine copies a loader's config, with the dataset in it


class ResumableSampler(Sampler):
    """Hands out the indices of another sampler as :class:`SampleIndex`, and can begin in the middle of an epoch.

    Args:
        dataset (Dataset): The dataset to sample.
        sampler (dict): Config of the sampler.
        seed (int | None): Given to the sampler.

    Attributes:
        handed_out (list[int]): The indices of this epoch so far, without those that were left out.
    """

    def __init__(self, dataset: Any, sampler: dict, seed: int | None = None):
        dataset = dataset.dataset if isinstance(dataset, SeededDataset) else dataset
        self.sampler = DATA_SAMPLERS.build(dict(sampler), default_args=dict(dataset=dataset, seed=seed))
        self.seed, self.epoch, self.skipped = 0, 0, 0
        self.passes = 0  # over the sampler, by this process
        self.handed_out: list[int] = []

    def begin(self, seed: int, epoch: int, skipped: int = 0) -> None:
        """Set what the next iteration hands out.

        Args:
            seed (int): Of the run; the same in all processes.
            epoch (int): Counted from 0.
            skipped (int): Samples of this process to leave out, from the first on.
        """
        self.seed, self.epoch, self.skipped = seed, epoch, skipped
        if hasattr(self.sampler, 'seed'):
            self.sampler.seed = seed
        self.set_epoch(epoch)

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch, as mmengine's ``DistSamplerSeedHook`` does."""
        self.epoch = epoch
        if hasattr(self.sampler, 'set_epoch'):
            self.sampler.set_epoch(epoch)

    def __iter__(self) -> Iterator[SampleIndex]:
        # DefaultSampler makes an order from seed and epoch; others (MultiSourceSampler) go on from the epoch before.
        if type(self.sampler) is not DefaultSampler:
            for _ in range(self.passes, self.epoch):  # epochs of the process that was broken off
                collections.deque(self.sampler, maxlen=0)
            self.passes = self.epoch + 1
        skipped, self.skipped, self.handed_out = self.skipped, 0, []
        for index, repetition in itertools.islice(self._repetitions(), skipped, None):
            self.handed_out.append(index)
            yield SampleIndex(index, self.seed, self.epoch, repetition)

    def _repetitions(self) -> Iterator[tuple[int, int]]:
        """The indices of an epoch, each with the number that tells its repetitions apart, in all processes."""
        # Processes share DefaultSampler's one order, whose samples must not depend on the number of processes
        rank, processes = (0, 1) if type(self.sampler) is DefaultSampler else get_dist_info()
        times: collections.Counter[int] = collections.Counter()
        for index in self.sampler:
            yield index, times[index] * processes + rank
            times[index] += 1

    def __len__(self) -> int:
        return len(self.sampler)


def resumable_loader(config: dict) -> dict:
    """Change the config of a data loader so that mmengine builds it with a seeded dataset and a resumable sampler.

    Args:
        config (dict): As ``train_dataloader`` of a config; it is not changed.

    Raises:
        InputError: The config has a ``batch_sampler``, or something else than a config as dataset or sampler.
    """
    stock = "train_cfg.type='EpochBasedTrainLoop' trains with it, without an exact resume"
    if not isinstance(config, dict):
        raise InputError(f'train_dataloader is a loader that is built already; {stock}')
    if config.get('batch_sampler') is not None:
        raise InputError(f'train_dataloader.batch_sampler: an epoch in batches of its own cannot be resumed; {stock}')
    for name in ('dataset', 'sampler'):
        if not isinstance(config.get(name), dict):
            raise InputError(f'train_dataloader.{name} must be a config: a dict with type')
    dataset = DATASETS.build(config['dataset'])
    if hasattr(dataset, 'full_init'):
        dataset.full_init()
    return {
        **config,
        'dataset': SeededDataset(dataset),
        'sampler': dict(type=ResumableSampler, sampler=config['sampler']),
    }
