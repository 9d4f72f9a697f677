"""Check numbers and names in a config before anything is built from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from numbers import Real
from typing import Any

from mmengine.config import Config
from mmengine.registry import FUNCTIONS
from mmpose.registry import OPTIMIZERS

from mmtranspose.engine.config_fields import at, mistake, unknown_type

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
NEEDED = {  # what each kind of run needs, by its data loader
    'train_dataloader': ('train_dataloader', 'train_cfg', 'optim_wrapper'),
    'val_dataloader': ('val_dataloader', 'val_cfg', 'val_evaluator'),
    'test_dataloader': ('test_dataloader', 'test_cfg', 'test_evaluator'),
}
FUNCTION_OF_LOADER = ('collate_fn', 'worker_init_fn')


def check_values(cfg: Config, loaders: tuple[str, ...]) -> None:
    """Check what mmengine does not: numbers that must not be 0 or negative, some names, and parts that are missing.

    Args:
        cfg (Config): The config.
        loaders (tuple[str, ...]): The data loaders that the run will use (``'train_dataloader'``, ...).

    Raises:
        InputError: A part is missing that the run needs, a number is out of its range, or the type of a function or of
            the optimiser is unknown; the message names the field.
    """
    for loader, parts in NEEDED.items():
        missing = [part for part in parts if cfg.get(part) is None]
        optional = loader not in loaders or loader == 'val_dataloader'
        if missing and not (optional and missing == list(parts)):
            raise mistake(cfg, missing[0], f'it is missing; {", ".join(parts)} are needed together')
    ranges = LEAST | {f'{loader}.{key}': least for loader in loaders for key, least in LEAST_OF_LOADER.items()}
    for pattern, least in ranges.items():
        for field, value in _matches(cfg, pattern):
            _check_number(cfg, field, value, least)
    registries = {f'{loader}.{function}': FUNCTIONS for loader in loaders for function in FUNCTION_OF_LOADER}
    for field, registry in {**registries, 'optim_wrapper.optimizer': OPTIMIZERS}.items():
        part = at(cfg, field)
        kind = part.get('type') if isinstance(part, Mapping) else None
        if isinstance(kind, str) and registry.get(kind) is None:
            raise mistake(cfg, f'{field}.type', unknown_type(kind, registry))


def _check_number(cfg: Config, field: str, value: Any, least: int) -> None:
    switch = (
        field.startswith(('default_hooks.', 'custom_hooks.')) and least > 0
    )  # mmengine's hooks: -1 is never, or all
    if value is None or (switch and value == -1):
        return
    if not isinstance(value, Real) or float(value) < least or float(value) % 1:
        raise mistake(cfg, field, f'={value} must be a whole number, at least {least}{", or -1 for none" * switch}')


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
