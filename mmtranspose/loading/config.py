"""Read configs and merge command-line options into them."""

from __future__ import annotations

import copy
from pathlib import Path

from mmengine.config import Config

from mmtranspose.errors import InputError
from mmtranspose.loading.zoo import find_config

LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


def load_config(path: str, options: dict | None = None) -> Config:
    """A config file with options merged in.

    An option ``data_root`` moves the whole dataset: it replaces the config's own ``data_root`` wherever a data loader
    or an evaluator has it.

    Args:
        path (str): The config file, or the name or alias of a model of mmtranspose (``transpose-r-a3``).
        options (dict | None): What ``--cfg-options`` gave: dotted keys to values.

    Raises:
        InputError: The file is missing or is no valid config; an option does not fit it.
    """
    path = str(path) if Path(path).is_file() else find_config(str(path))
    try:
        cfg = Config.fromfile(path)
    except Exception as error:
        raise InputError(f'config {path} cannot be read: {error}') from error
    if 'data_root' in (options or {}):
        move_data_root(cfg, options['data_root'])
    merge_options(cfg, options)
    return cfg


def merge_options(cfg: Config, options: dict | None) -> None:
    """Merge what ``--cfg-options`` gave into a config, in place.

    Args:
        cfg (Config): The config.
        options (dict | None): Dotted keys to values.

    Raises:
        InputError: An option does not fit the config, as an entry that a list does not have; names the option.
    """
    try:
        cfg.merge_from_dict(options or {})
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(_misfit(copy.deepcopy(cfg), options)) from error


def _misfit(cfg: Config, options: dict) -> str:
    """What is said of the first option that cannot be merged after those before it."""
    for name, value in options.items():
        try:
            cfg.merge_from_dict({name: value})
        except (KeyError, TypeError, AttributeError):
            return f'option {name}={value} does not fit the config: {_obstacle(cfg, name)}'
    return f'the options {", ".join(options)} do not fit the config together; give fewer at once'


def _obstacle(cfg: Config, name: str) -> str:
    """What stands where a dotted key leads, or on the way to it."""
    value, keys = cfg, name.split('.')
    for depth, key in enumerate(keys):
        where = '.'.join(keys[:depth])
        if isinstance(value, list):
            if not key.isdigit() or int(key) >= len(value):
                return f'{where} is a list of {len(value)}, whose entries are numbered from 0'
            value = value[int(key)]
        elif isinstance(value, (dict, Config)):
            value = value.get(key)
        else:
            return f'{where} is {value!r:.40}, which has no {key}; set the whole of {where} in the config file'
    if isinstance(value, dict):
        return f'{name} is a dict; set its fields one by one'
    return f'{name} is {value!r:.40}; change it in the config file'


def require_model(cfg: Config) -> None:
    """Tell a base or another part of a config from the config of a model.

    Raises:
        InputError: It has no ``model``.
    """
    if not isinstance(cfg.get('model'), dict):
        raise InputError(f'config {cfg.filename} has no model; give the config of a model, not of a part of one')


def move_data_root(cfg: Config, data_root: str) -> None:
    """Replace the config's ``data_root`` in its data loaders and evaluators, in place.

    Raises:
        InputError: The config has no top-level ``data_root``.
    """
    old = cfg.get('data_root')
    if old is None:
        raise InputError('data_root cannot be set: the config has no top-level data_root')
    old, new = (str(root).rstrip('/') + '/' for root in (old, data_root))

    def moved(value):
        if isinstance(value, dict):
            for key, item in value.items():
                if key != 'pipeline':
                    value[key] = moved(item)
            return value
        if isinstance(value, (list, tuple)):
            return type(value)(moved(item) for item in value)
        if isinstance(value, str) and f'{value}/'.startswith(old):
            return new + value[len(old) :]
        return value

    for name in (*LOADERS, 'val_evaluator', 'test_evaluator'):
        if cfg.get(name) is not None:
            cfg[name] = moved(cfg[name])
    cfg.data_root = new
