"""Find the datasets that a config's data loaders read, each once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mmengine.config import Config, ConfigDict
from mmengine.dataset import BaseDataset
from mmengine.registry import init_default_scope
from mmpose.registry import DATASETS

from mmtranspose.errors import InputError
from mmtranspose.loading.config import LOADERS
from mmtranspose.loading.data_files import leaf_datasets

SPLITS = tuple(name.removesuffix('_dataloader') for name in LOADERS)
# Options of datasets in test mode alone; the check reads every dataset as training does, annotations included
TEST_MODE_OPTIONS = ('bbox_file', 'headbox_file', 'test_mode')


@dataclass
class ConfigDataset:
    """One annotation file and how MMPose reads it.

    Attributes:
        splits (list[str]): Of ``'train'``, ``'val'``, ``'test'``: those that use it.
        dataset (BaseDataset): MMPose's dataset, not loaded.
        steps (dict[str, dict]): The steps of its pipeline by type.
        box_files (list[str]): Files of detector boxes.
    """

    splits: list[str]
    dataset: BaseDataset
    steps: dict[str, dict]
    box_files: list[str]

    @property
    def name(self) -> str:
        """The splits in words: ``'val, test'``."""
        return ', '.join(self.splits)

    @property
    def ann_file(self) -> str:
        """The annotation file."""
        return self.dataset.ann_file

    @property
    def num_outputs(self) -> int:
        """Keypoints that the network is trained on: the dataset's, or what a ``KeypointConverter`` makes of them."""
        converter = self.steps.get('KeypointConverter')
        return converter['num_keypoints'] if converter else self.dataset.metainfo['num_keypoints']


def datasets_of(cfg: Config, splits: Sequence[str] | None = None) -> list[ConfigDataset]:
    """Build the datasets of a config, without loading them; wrappers such as ``CombinedDataset`` are opened.

    Args:
        cfg (Config): The config.
        splits (Sequence[str] | None): Of ``'train'``, ``'val'``, ``'test'``; None: those whose loaders the config has.

    Raises:
        InputError: A split has no loader, or MMPose cannot build its dataset.
    """
    init_default_scope(cfg.get('default_scope', 'mmpose'))
    found: dict[tuple, ConfigDataset] = {}
    for split in splits or [split for split in SPLITS if cfg.get(f'{split}_dataloader')]:
        loader = cfg.get(f'{split}_dataloader')
        if not loader or 'dataset' not in loader:
            raise InputError(f'the config has no {split}_dataloader with a dataset; leave {split} out of --split')
        for leaf, steps in leaf_datasets(loader.dataset):
            box_files = [leaf.bbox_file] if leaf.get('bbox_file') else []
            _add(found, ConfigDataset([split], _build(leaf, split), steps, box_files))
    if not found:
        raise InputError('the config has no data loader with a dataset')
    return list(found.values())


def _add(found: dict[tuple, ConfigDataset], one: ConfigDataset) -> None:
    """Add a dataset, or let it join the one that reads the same file in the same way."""
    key = type(one.dataset), one.ann_file, str(one.dataset.data_prefix), one.num_outputs
    first = found.setdefault(key, one)
    if first is not one:
        first.splits += [split for split in one.splits if split not in first.splits]
        first.steps = {**one.steps, **first.steps}
        first.box_files += [file for file in one.box_files if file not in first.box_files]


def _build(dataset: ConfigDict, split: str) -> BaseDataset:
    options = {key: value for key, value in dataset.items() if key not in TEST_MODE_OPTIONS}
    try:
        built = DATASETS.build(dict(options, pipeline=[], lazy_init=True))
    except KeyError as error:  # a name in swap or skeleton_info, or a registry's sentence
        raise InputError(f'{split}_dataloader.dataset: {error} is not known; correct type or metainfo') from error
    except Exception as error:
        raise InputError(f'{split}_dataloader.dataset cannot be built: {error}') from error
    if not built.metainfo.get('num_keypoints') or not built.ann_file:
        raise InputError(f'{split}_dataloader.dataset ({type(built).__name__}) needs a metainfo and an ann_file')
    return built
