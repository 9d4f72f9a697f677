"""Check numbers, switches and names in a config before anything is built from it."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from numbers import Integral, Real
from types import NoneType
from typing import Any

from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.registry import FUNCTIONS
from mmpose.registry import MODELS, OPTIMIZERS

from mmtranspose.engine.config_fields import at, mistake, unknown_type
from mmtranspose.loading.data_root import LOADERS, unused_data_root
from mmtranspose.loading.leaf_datasets import leaf_datasets
from mmtranspose_cli.terminal import printable

LEAST = {  # the least values of whole numbers; '*' stands for any key or index
    'train_cfg.max_epochs': 1,
    'train_cfg.max_iters': 1,
    'train_cfg.val_interval': 1,
    'train_cfg.val_begin': 0,
    'auto_scale_lr.base_batch_size': 1,
    'optim_wrapper.accumulative_counts': 1,
    'param_scheduler.T_max': 1,
    'param_scheduler.*.T_max': 1,
    'log_processor.window_size': 1,
    'default_hooks.*.interval': 1,
    'custom_hooks.*.interval': 1,
    'default_hooks.*.max_keep_ckpts': 1,
    'custom_hooks.*.max_keep_ckpts': 1,
    'default_hooks.*.save_begin': 0,
}
LEAST_OF_LOADER = {'batch_size': 1, 'num_workers': 0, 'num_batch_per_epoch': 1, 'prefetch_factor': 1}
NEVER_NONE = ('.batch_size', '.num_workers')
NUMBERS = (  # of any size, or one that is checked by whoever reads it
    *('optim_wrapper.optimizer.lr', 'optim_wrapper.optimizer.weight_decay', 'optim_wrapper.optimizer.momentum'),
    *('optim_wrapper.clip_grad.max_norm', 'optim_wrapper.clip_grad.clip_value'),
)
LISTS = ('param_scheduler.milestones', 'param_scheduler.*.milestones')  # of whole numbers
SWITCHES = (
    *('data_check', 'allow_partial', 'allow_non_finite', 'find_unused_parameters', 'auto_scale_lr.enable'),
    *('env_cfg.cudnn_benchmark', 'randomness.deterministic', 'model.train_cfg.compute_acc'),
    *('model.test_cfg.flip_test', 'model.test_cfg.shift_heatmap', 'model.test_cfg.shift_coords'),
    *('model.test_cfg.output_heatmaps', 'default_hooks.*.enable', 'custom_hooks.*.enable'),
)
SWITCHES_OF_LOADER = ('persistent_workers', 'pin_memory', 'drop_last', 'sampler.shuffle')
FILES_OF_DATASET = ('data_root', 'ann_file', 'bbox_file', 'headbox_file')
FOLDERS = ('default_hooks.*.out_dir', 'custom_hooks.*.out_dir')
OF_PROCESSES = {'persistent_workers': False, 'prefetch_factor': None, 'multiprocessing_context': None, 'timeout': 0}
NEEDED = {  # what each kind of run needs, by its data loader
    'train_dataloader': ('train_dataloader', 'train_cfg', 'optim_wrapper'),
    'val_dataloader': ('val_dataloader', 'val_cfg', 'val_evaluator'),
    'test_dataloader': ('test_dataloader', 'test_cfg', 'test_evaluator'),
}
FUNCTION_OF_LOADER = ('collate_fn', 'worker_init_fn')


def check_values(cfg: Config, loaders: tuple[str, ...]) -> None:
    """Check what mmengine does not: numbers out of their range, text for a number or a switch, parts that are missing.

    Three things are mended in place: a config without ``default_scope`` gets MMPose's, as in MMPose's own
    ``init_model``; a whole number that is written as 2.0 becomes 2; and options of loader processes, which PyTorch
    refuses where there are none (``num_workers=0``), are turned off, which the log says.

    Args:
        cfg (Config): The config.
        loaders (tuple[str, ...]): The data loaders that the run will use (``'train_dataloader'``, ...).

    Raises:
        InputError: A part is missing that the run needs, a value is out of its range or of another kind, or the type of
            a function, of the model or of the optimiser is unknown; the message names the field.
    """
    _check_parts(cfg, loaders)
    _check_scope(cfg)
    ranges = LEAST | {f'{loader}.{key}': least for loader in loaders for key, least in LEAST_OF_LOADER.items()}
    for pattern, least in ranges.items():
        for field, value in _matches(cfg, pattern):
            _check_number(cfg, field, value, least)
    for field, value in _all_matches(cfg, LISTS):
        if not (isinstance(value, (list, tuple)) and all(isinstance(one, Integral) for one in value)):
            raise mistake(cfg, field, f'={value!r} must be a list of whole numbers: [170, 200]')
    for field, value in _all_matches(cfg, NUMBERS):
        if not _is_number(value) and value is not None:
            raise mistake(cfg, field, f'={value!r} must be a number')
    for field, value in _all_matches(
        cfg, (*SWITCHES, *(f'{one}.{key}' for one in loaders for key in SWITCHES_OF_LOADER))
    ):
        if value not in (True, False, None):
            raise mistake(cfg, field, f'={value!r} must be True or False')
    _check_files(cfg, loaders)
    _check_types(cfg, loaders)
    for name in LOADERS:
        for message in _turn_off_options_of_processes(cfg, name):
            if name in loaders:
                print_log(message, 'current', logging.WARNING)
    if unused := unused_data_root(cfg):
        print_log(printable(unused), 'current', logging.WARNING)


def _check_parts(cfg: Config, loaders: tuple[str, ...]) -> None:
    for loader, parts in NEEDED.items():
        missing = [part for part in parts if cfg.get(part) is None]
        optional = loader not in loaders or loader == 'val_dataloader'
        if missing and not (optional and missing == list(parts)):
            raise mistake(cfg, missing[0], f'it is missing; {", ".join(parts)} are needed together')


def _check_scope(cfg: Config) -> None:
    """Check that the model's type is found in the config's ``default_scope``."""
    scope, kind = cfg.get('default_scope'), (cfg.get('model') or {}).get('type')
    if scope is None:
        cfg.default_scope = 'mmpose'
    elif scope != 'mmpose' and (not isinstance(scope, str) or not scope or kind in MODELS.module_dict):
        raise mistake(cfg, 'default_scope', f"={scope!r} has no model {kind}; set default_scope='mmpose'")


def _check_files(cfg: Config, loaders: tuple[str, ...]) -> None:
    fields = list(_all_matches(cfg, FOLDERS))
    for loader in loaders:
        for field, dataset, _ in leaf_datasets(at(cfg, f'{loader}.dataset'), f'{loader}.dataset'):
            fields += [(f'{field}.{key}', dataset.get(key)) for key in FILES_OF_DATASET]
            prefixes = dataset.get('data_prefix')
            if not isinstance(prefixes, (Mapping, NoneType)):
                raise mistake(cfg, f'{field}.data_prefix', f"={prefixes!r} must be a dict of folders: dict(img='...')")
            fields += [(f'{field}.data_prefix.{key}', value) for key, value in (prefixes or {}).items()]
    for field, value in fields:
        if not isinstance(value, (str, os.PathLike, NoneType)):
            raise mistake(cfg, field, f'={value!r} must be a path, or None')


def _check_types(cfg: Config, loaders: tuple[str, ...]) -> None:
    registries = {f'{loader}.{function}': FUNCTIONS for loader in loaders for function in FUNCTION_OF_LOADER}
    for field, registry in {**registries, 'optim_wrapper.optimizer': OPTIMIZERS}.items():
        part = at(cfg, field)
        kind = part.get('type') if isinstance(part, Mapping) else None
        if isinstance(kind, str) and registry.get(kind) is None:
            raise mistake(cfg, f'{field}.type', unknown_type(kind, registry))


def _turn_off_options_of_processes(cfg: Config, name: str) -> Iterator[str]:
    """Turn off what PyTorch refuses in a data loader without processes of its own, and say what it was."""
    loader = cfg.get(name)
    if not isinstance(loader, dict) or loader.get('num_workers', 0) != 0:
        return
    for key, off in OF_PROCESSES.items():
        usable = key != 'timeout' or (_is_number(loader.get(key)) and loader[key] > 0)  # else PyTorch refuses it
        if loader.get(key) not in (None, False, 0) and usable:
            yield f'{name}.{key}={loader[key]!r} is turned off, since num_workers=0 leaves no loader processes'
            loader[key] = off


def _check_number(cfg: Config, field: str, value: Any, least: int) -> None:
    switch = (
        field.startswith(('default_hooks.', 'custom_hooks.')) and least > 0
    )  # mmengine's hooks: -1 is never, or all
    if (value is None and not field.endswith(NEVER_NONE)) or (switch and value == -1):
        return
    if not _is_number(value) or float(value) < least or float(value) % 1:
        raise mistake(cfg, field, f'={value!r} must be a whole number, at least {least}{", or -1 for none" * switch}')
    if not isinstance(value, Integral):
        holder, _, key = field.rpartition('.')
        at(cfg, holder)[key] = int(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _all_matches(cfg: Config, patterns: Iterable[str]) -> Iterator[tuple[str, Any]]:
    for pattern in patterns:
        yield from _matches(cfg, pattern)


def _matches(cfg: Config, pattern: str) -> Iterator[tuple[str, Any]]:
    """The fields of a config that a pattern means, and their values."""
    fields: list[tuple[str, Any]] = [('', cfg)]
    for key in pattern.split('.'):
        fields = [
            (f'{field}.{name}'.lstrip('.'), item)
            for field, value in fields
            for name, item in _items(value)
            if key in ('*', name)
        ]
    yield from fields


def _items(value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, (Mapping, Config)):
        return list(value.items())
    return [(str(index), item) for index, item in enumerate(value)] if isinstance(value, (list, tuple)) else []
