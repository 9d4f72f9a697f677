"""Find the datasets that a config's data loaders read, each once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.registry import init_default_scope
from mmpose.datasets.datasets.base import BaseCocoStyleDataset
from mmpose.datasets.datasets.utils import parse_pose_metainfo
from mmpose.registry import DATASETS

from mmtranspose.errors import InputError
from mmtranspose.loading.config import LOADERS
from mmtranspose.loading.leaf_datasets import leaf_datasets
from mmtranspose.typing import DatasetMeta

SPLITS = tuple(name.removesuffix('_dataloader') for name in LOADERS)
# Options of datasets in test mode alone; the check reads every dataset as training does, annotations included
TEST_MODE_OPTIONS = ('bbox_file', 'headbox_file', 'test_mode')


@dataclass
class ConfigDataset:
    """One annotation file and how MMPose reads it.

    Attributes:
        splits (list[str]): Of ``'train'``, ``'val'``, ``'test'``: those that use it.
        dataset (BaseCocoStyleDataset): MMPose's dataset, not loaded.
        steps (dict[str, dict]): The steps of its pipeline by type.
        box_files (list[str]): Files of detector boxes.
        outer_metainfo (DatasetMeta | None): The metainfo of a ``CombinedDataset`` around it, which samples and metrics
            get in place of its own.
        name (str): The splits in words, ``'val, test'``; with its file where they have several datasets.
    """

    splits: list[str]
    dataset: BaseCocoStyleDataset
    steps: dict[str, dict]
    box_files: list[str]
    outer_metainfo: DatasetMeta | None = None
    name: str = ''

    @property
    def ann_file(self) -> str:
        """The annotation file."""
        return self.dataset.ann_file

    @property
    def metainfo(self) -> DatasetMeta:
        """The metainfo that samples and metrics get."""
        return self.dataset.metainfo if self.outer_metainfo is None else self.outer_metainfo

    @property
    def num_outputs(self) -> int:
        """Keypoints that the network is trained on: the dataset's, or what a ``KeypointConverter`` makes of them."""
        converted = self.steps.get('KeypointConverter', {}).get('num_keypoints')
        return converted or self.dataset.metainfo['num_keypoints']


def datasets_of(cfg: Config, splits: Sequence[str] | None = None, only_known: bool = False) -> list[ConfigDataset]:
    """Build the datasets of a config, without loading them; wrappers such as ``CombinedDataset`` are opened.

    Args:
        cfg (Config): The config.
        splits (Sequence[str] | None): Of ``'train'``, ``'val'``, ``'test'``; None: those whose loaders the config has.
        only_known (bool): Leave out datasets that MMPose cannot build or whose class has nothing of MMPose's for
            annotation files, and splits without a data loader, instead of refusing them.

    Raises:
        InputError: A split has no loader, or MMPose cannot build its dataset, or its class is unknown to this check.
    """
    init_default_scope(cfg.get('default_scope', 'mmpose'))
    found: dict[tuple, ConfigDataset] = {}
    for split in splits or [split for split in SPLITS if cfg.get(f'{split}_dataloader')]:
        loader = cfg.get(f'{split}_dataloader')
        if not loader or 'dataset' not in loader:
            if only_known:
                continue
            raise InputError(f'the config has no {split}_dataloader with a dataset; leave {split} out of --split')
        for _, leaf, steps in leaf_datasets(loader.dataset):
            try:
                built = _build(leaf, split)
                _check_box_file_options(leaf, split)
            except InputError:
                if only_known:
                    continue
                raise
            box_files = [leaf.bbox_file] if leaf.get('bbox_file') else []
            if isinstance(built, BaseCocoStyleDataset):
                outer = _outer_metainfo(loader.dataset, split)
                _add(found, ConfigDataset([split], built, steps, box_files, outer))
            elif not only_known:
                raise InputError(
                    f'{split}_dataloader.dataset ({getattr(built, "__name__", built)}) cannot be checked: it is not a '
                    'BaseCocoStyleDataset of MMPose, which reads people from an annotation file'
                )
    if not found and not only_known:
        raise InputError('the config has no data loader with a dataset')
    _give_names(list(found.values()))
    return list(found.values())


def _check_box_file_options(dataset: ConfigDict, split: str) -> None:
    """Check what MMPose refuses beside a ``bbox_file``.

    Raises:
        InputError: The dataset is not in test mode, or not read person by person.
    """
    for option, wanted in dict(test_mode=True, data_mode='topdown').items():
        default = False if option == 'test_mode' else wanted
        if dataset.get('bbox_file') and dataset.get(option, default) != wanted:
            field = f'{split}_dataloader.dataset.{option}'
            raise InputError(f'{field}={dataset.get(option, default)!r}: MMPose reads a bbox_file with {wanted!r} only')


def _outer_metainfo(dataset: ConfigDict, split: str) -> DatasetMeta | None:
    if 'datasets' not in dataset or not dataset.get('metainfo'):
        return None
    try:
        return parse_pose_metainfo(dict(dataset.metainfo))
    except KeyError as error:
        raise InputError(f'{split}_dataloader.dataset.metainfo: {error} is not known; correct it') from error
    except Exception as error:
        raise InputError(f'{split}_dataloader.dataset.metainfo cannot be used: {error}') from error


def _give_names(datasets: list[ConfigDataset]) -> None:
    counts = Counter(', '.join(one.splits) for one in datasets)
    for one in datasets:
        one.name = ', '.join(one.splits)
        if counts[one.name] > 1:
            one.name = f'{one.name}: {"/".join(Path(one.ann_file).parts[-2:])}'


def _add(found: dict[tuple, ConfigDataset], one: ConfigDataset) -> None:
    """Add a dataset, or let it join the one that reads the same file in the same way."""
    read = one.dataset
    how = str(read.data_prefix), one.num_outputs, read.sample_interval, str(read._indices), str(one.metainfo)
    key = type(read), one.ann_file, *how
    first = found.setdefault(key, one)
    if first is not one:
        first.splits += [split for split in one.splits if split not in first.splits]
        first.steps = {**one.steps, **first.steps}
        first.box_files += [file for file in one.box_files if file not in first.box_files]


def _build(dataset: ConfigDict, split: str) -> Any:
    options = {key: value for key, value in dataset.items() if key not in TEST_MODE_OPTIONS}
    try:
        kind = DATASETS.get(dataset.type) if isinstance(dataset.get('type'), str) else dataset.get('type')
        if kind is not None and not (isinstance(kind, type) and issubclass(kind, BaseCocoStyleDataset)):
            return kind  # of another sort, which takes other options
        built = DATASETS.build(dict(options, pipeline=[], lazy_init=True))
    except KeyError as error:  # a name in swap or skeleton_info, or a registry's sentence
        raise InputError(f'{split}_dataloader.dataset: {error} is not known; correct type or metainfo') from error
    except Exception as error:
        raise InputError(f'{split}_dataloader.dataset cannot be built: {error}') from error
    if not built.metainfo.get('num_keypoints') or not built.ann_file:
        raise InputError(f'{split}_dataloader.dataset ({type(built).__name__}) needs a metainfo and an ann_file')
    return built
