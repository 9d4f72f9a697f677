"""Read configs and merge the options of a command line into them."""

from __future__ import annotations

import copy
import os
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmtranspose.errors import InputError
from mmtranspose.loading.config_overrides import check_overrides
from mmtranspose.loading.data_root import LOADERS, move_data_root
from mmtranspose.loading.zoo import find_config
from mmtranspose.typing import PathLike

__all__ = ['LOADERS', 'load_config', 'merge_options', 'move_data_root', 'require_model']
MISFITS = (KeyError, TypeError, AttributeError)  # what mmengine raises where an option does not fit a config


def load_config(path: PathLike, options: dict[str, Any] | None = None) -> Config:
    """Read a config file and merge options into it.

    The option ``data_root`` moves all datasets: see :func:`move_data_root`.

    Args:
        path (str | Path): The file, or the name or alias of a model of mmtranspose (``'transpose-r-a3'``).
        options (dict | None): The options of ``--cfg-options``: dotted keys to values.

    Raises:
        InputError: The file is missing or is no valid config, or an option does not fit it or would change nothing.
    """
    path = str(path) if Path(path).is_file() else find_config(str(path))
    options = options or {}
    try:
        cfg = Config.fromfile(path)
    except Exception as error:
        raise InputError(f'config {path} cannot be read: {error}') from error
    check_overrides(cfg, options)
    if 'data_root' in options:
        move_data_root(cfg, options['data_root'], options)
    merge_options(cfg, options)
    return cfg


def require_model(cfg: Config) -> None:
    """Check that a config is that of a model, not a base or another part of one.

    Raises:
        InputError: The config has no ``model``.
    """
    if not isinstance(cfg.get('model'), dict):
        raise InputError(f'config {cfg.filename} has no model; give the config of a model, not of a part of one')


def merge_options(cfg: Config, options: dict[str, Any] | None) -> None:
    """Merge the options of ``--cfg-options`` into a config, in place.

    Args:
        cfg (Config): The config.
        options (dict | None): Dotted keys to values.

    Raises:
        InputError: An option does not fit the config, as the sixth entry of a list of five; names the option. Or
            ``work_dir`` or ``load_from`` is no path, or ``resume`` no bool. (An empty
            ``load_from`` is none.)
    """
    options = options or {}
    try:
        cfg.merge_from_dict(options)
    except MISFITS as error:
        raise InputError(_misfit(copy.deepcopy(cfg), options)) from error
    if cfg.get('load_from') == '':
        cfg.load_from = None
    for field, kind in (('work_dir', "a folder ('.' is the current one)"), ('load_from', 'a checkpoint or None')):
        value = cfg.get(field)
        if value is not None and (not isinstance(value, (str, os.PathLike)) or not str(value).strip()):
            raise InputError(f'config {cfg.filename}: {field}={value!r} must be {kind}')
    if cfg.get('resume') not in (None, True, False):
        raise InputError(f'config {cfg.filename}: resume={cfg.resume!r} must be True or False')


def _misfit(cfg: Config, options: dict[str, Any]) -> str:
    """Say which option is the first that cannot be merged, and why."""
    for name, value in options.items():
        try:
            cfg.merge_from_dict({name: value})
        except MISFITS:  # noqa: PERF203  once, after an error
            return f'option {name}={value} does not fit the config: {_obstacle(cfg, name)}'
    return f'the options {", ".join(options)} do not fit the config together; give fewer at once'


def _obstacle(cfg: Config, name: str) -> str:
    """Describe what a config holds at a dotted key, or at the last part of the key that it has."""
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
