"""The datasets that a config's loaders read, each once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mmengine.config import Config, ConfigDict
from mmengine.dataset import BaseDataset
from mmengine.registry import init_default_scope
from mmpose.registry import DATASETS

from mmtranspose.errors import InputError
from mmtranspose.loading.config import LOADERS

SPLITS = tuple(name.removesuffix('_dataloader') for name in LOADERS)


# What only datasets in test mode take; the check reads all of them as training does, annotations included
TESTED_WITH = ('bbox_file', 'headbox_file', 'test_mode')


@dataclass
class Source:
    """One annotation file and how MMPose reads it.

    ``splits`` use it; ``dataset`` is MMPose's, not loaded; ``steps`` are the steps of the pipeline by type; ``boxes``
    are files of detector boxes.
    """

    splits: list[str]
    dataset: BaseDataset
    steps: dict[str, dict]
    boxes: list[str]

    @property
    def name(self) -> str:
        return ', '.join(self.splits)

    @property
    def file(self) -> str:
        return self.dataset.ann_file

    @property
    def num_outputs(self) -> int:
        """Keypoints that the network is trained on: the dataset's, or what a ``KeypointConverter`` makes of them."""
        converter = self.steps.get('KeypointConverter')
        return converter['num_keypoints'] if converter else self.dataset.metainfo['num_keypoints']


def read_sources(cfg: Config, splits: list[str] | None = None) -> list[Source]:
    """The datasets of a config; wrappers such as ``CombinedDataset`` are opened.

    Args:
        cfg (Config): The config.
        splits (list[str] | None): Of ``'train'``, ``'val'``, ``'test'``; None: those whose loaders the config has.

    Raises:
        InputError: A split has no loader, or MMPose cannot build its dataset.
    """
    init_default_scope(cfg.get('default_scope', 'mmpose'))
    found: dict[tuple, Source] = {}
    for split in splits or [split for split in SPLITS if cfg.get(f'{split}_dataloader')]:
        loader = cfg.get(f'{split}_dataloader')
        if not loader or 'dataset' not in loader:
            raise InputError(f'the config has no {split}_dataloader with a dataset; leave {split} out of --split')
        for leaf, steps in _leaves(loader.dataset, {}):
            source = Source([split], _build(leaf, split), steps, [leaf.bbox_file] if leaf.get('bbox_file') else [])
            _add(found, source)
    if not found:
        raise InputError('the config has no data loader with a dataset')
    return list(found.values())


def _add(found: dict[tuple, Source], source: Source) -> None:
    key = type(source.dataset), source.file, str(source.dataset.data_prefix), source.num_outputs
    first = found.setdefault(key, source)
    if first is not source:
        first.splits += [split for split in source.splits if split not in first.splits]
        first.steps = {**source.steps, **first.steps}
        first.boxes += [box for box in source.boxes if box not in first.boxes]


def _leaves(dataset: ConfigDict, outer: dict) -> Iterator[tuple[ConfigDict, dict]]:
    steps = {**outer, **{step['type']: step for step in dataset.get('pipeline') or []}}
    inner = dataset.get('datasets') or ([dataset.dataset] if 'dataset' in dataset else [])
    for one in inner:
        yield from _leaves(one, steps)
    if not inner:
        yield dataset, steps


def _build(dataset: ConfigDict, split: str) -> BaseDataset:
    options = {key: value for key, value in dataset.items() if key not in TESTED_WITH}
    try:
        built = DATASETS.build(dict(options, pipeline=[], lazy_init=True))
    except KeyError as error:  # a name in swap or skeleton_info, or a registry's sentence
        raise InputError(f'{split}_dataloader.dataset: {error} is not known; correct type or metainfo') from error
    except Exception as error:
        raise InputError(f'{split}_dataloader.dataset cannot be built: {error}') from error
    if not built.metainfo.get('num_keypoints') or not built.ann_file:
        raise InputError(f'{split}_dataloader.dataset ({type(built).__name__}) needs a metainfo and an ann_file')
    return built


def file_beside(path: str) -> str:
    """The end of a path, enough to recognise a file in a message."""
    return '/'.join(Path(path).parts[-2:])
