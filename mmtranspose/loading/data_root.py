"""Move the datasets of a config to another folder: the option ``data_root``."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from mmengine.config import Config
from mmengine.logging import print_log

from mmtranspose.errors import InputError
from mmtranspose.loading.leaf_datasets import leaf_datasets
from mmtranspose_cli.terminal import printable

LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
SECTIONS = (*LOADERS, 'val_evaluator', 'test_evaluator')
IN_ROOT = ('ann_file', 'data_prefix')  # of a dataset: relative ones are looked for in its data_root
PATHS = ('data_root', 'bbox_file', 'headbox_file', *IN_ROOT)
NAMED_AT_MOST = 8  # fields in a message


def move_data_root(cfg: Config, data_root: str, options: Collection[str] = ()) -> None:
    """Give the datasets of a config another folder, in place.

    Every path of the data loaders and evaluators that lies below the config's own ``data_root`` is moved, whatever it
    is written with: a slash at its end or none, backslashes, relative or absolute. So are the paths below the datasets'
    own ``data_root`` where all datasets share one that lies elsewhere, as in a config that changes the top-level
    ``data_root`` of its ``_base_``, on which the datasets do not depend any more. Pipelines are left alone. Files of
    boxes and an evaluator's annotation files that lie elsewhere stay there, and are named in the log.

    Args:
        cfg (Config): The config.
        data_root (str): The new folder; ``~`` is the home folder.
        options (Collection[str]): Dotted fields that are set by other options.

    Raises:
        InputError: ``data_root`` names no folder; the config has no ``data_root``; or a dataset would not be moved,
            because it lies outside of the config's ``data_root``, and no other option sets its folder.
    """
    new = _new_root(data_root)
    homes = dict(_homes(cfg))
    roots = _old_roots(cfg.get('data_root'), [home for field, home in homes.items() if field.endswith('.data_root')])
    if not roots:
        several = f': set {_listed(homes)}' if homes else ''
        raise InputError(
            'data_root cannot be set: the config has no top-level data_root, nor one that all datasets share' + several
        )
    left = {field: home for field, home in homes.items() if _moved(home, roots, new, True) is None}
    if unset := {field: home for field, home in left.items() if not _is_set(field, options)}:
        raise InputError(
            f'data_root={data_root} would not move all datasets: {_listed(unset)} lies outside of '
            f'data_root={cfg.get("data_root")!r}; set by --cfg-options what is named here, too'
        )
    seen: dict[int, Any] = {}  # val and test may share a dict
    stays = {field: file for field, file in _files(cfg) if _moved(file, roots, new, True) is None}
    if stays := {field: file for field, file in stays.items() if not _is_set(field, options)}:
        message = f'data_root={data_root} does not move what lies elsewhere: {_listed(stays)}'
        print_log(printable(message), 'current', logging.WARNING)
    for name in SECTIONS:
        if cfg.get(name) is not None:
            cfg[name] = _changed(cfg[name], lambda path, known: _moved(path, roots, new, known) or path, seen=seen)
    cfg.data_root = new


def unused_data_root(cfg: Config) -> str | None:
    """Say that no path of the data loaders and evaluators lies below the config's ``data_root``; None if one does.

    Such a config most likely sets only the top-level ``data_root`` of its ``_base_``, whose value was copied to the
    datasets when the ``_base_`` was read.
    """
    given, homes = cfg.get('data_root'), dict(_homes(cfg))
    if not isinstance(given, str) or not given or not homes:
        return None
    root = os.path.expanduser(given)
    used: list[str] = []

    def look(path: str, known: bool) -> str:
        used.extend([path] if _tail(path, root, known) is not None else [])
        return path

    for name in SECTIONS:
        _changed(cfg.get(name), look)
    if used:
        return None
    return (
        f'data_root={given!r} of config {cfg.filename} changes nothing: {_listed(homes)}; set these in the config, or '
        f'give --cfg-options data_root={given}'
    )


def _new_root(data_root: object) -> str:
    if not isinstance(data_root, (str, os.PathLike)) or not str(data_root).strip():
        raise InputError(f"data_root={data_root!r} must be a folder ('.' is the current one)")
    return os.path.expanduser(data_root).rstrip('/\\') + '/'


def _old_roots(top: Any, roots: list[str]) -> list[str]:
    """The folders that are replaced, the longest first."""
    own = [top] if isinstance(top, str) else []
    outside = [root for root in roots if not own or _tail(root, top, True) is None]
    shared = outside[:1] if len(outside) == len(roots) and len({_normal(root, True) for root in roots}) == 1 else []
    return sorted(own + shared, key=lambda root: len(_normal(root, True)), reverse=True)


def _homes(cfg: Config) -> Iterator[tuple[str, str]]:
    """The fields that say where the datasets of a config lie, and their values: ``data_root``, else ``ann_file``."""
    for name in LOADERS:
        for field, dataset, _ in leaf_datasets(_part(cfg.get(name), 'dataset'), f'{name}.dataset'):
            for key in ('data_root', 'ann_file'):
                if isinstance(dataset.get(key), str) and dataset[key]:
                    yield f'{field}.{key}', dataset[key]
                    break


def _files(cfg: Config) -> Iterator[tuple[str, str]]:
    """The fields of files of boxes and of the evaluators' annotation files, and their values."""
    for name in LOADERS:
        for field, dataset, _ in leaf_datasets(_part(cfg.get(name), 'dataset'), f'{name}.dataset'):
            for key in ('bbox_file', 'headbox_file'):
                if isinstance(dataset.get(key), str) and dataset[key]:
                    yield f'{field}.{key}', dataset[key]
    for name in SECTIONS[len(LOADERS) :]:
        evaluator = cfg.get(name)
        several = isinstance(evaluator, (list, tuple))
        for index, metric in enumerate(evaluator if several else [evaluator]):
            file = _part(metric, 'ann_file')
            if isinstance(file, str) and file:
                yield f'{name}.{index}.ann_file' if several else f'{name}.ann_file', file


def _part(value: Any, key: str) -> Any:
    return value.get(key) if isinstance(value, Mapping) else None


def _changed(value: Any, change: Callable[[str, bool], str], known: bool = False, seen: dict | None = None) -> Any:
    """Replace every text in a part of a config but its pipelines; ``change`` is told if it is surely a path."""
    seen = {} if seen is None else seen
    if isinstance(value, str):
        return change(value, known) if value else value
    if isinstance(value, dict):
        rooted = bool(value.get('data_root'))
        if id(value) not in seen:
            seen[id(value)] = value
            for key, item in value.items():
                if key != 'pipeline' and not (rooted and key in IN_ROOT and _is_relative(item)):
                    prefixes = rooted and key == 'data_prefix'
                    whole = _absolute_only(change) if prefixes else change
                    value[key] = _changed(item, whole, known or key in PATHS, seen)
        return value
    if isinstance(value, (list, tuple)):
        return type(value)(_changed(item, change, known, seen) for item in value)
    return value


def _absolute_only(change: Callable[[str, bool], str]) -> Callable[[str, bool], str]:
    return lambda path, known: path if _is_relative(path) else change(path, known)


def _is_relative(path: Any) -> bool:
    return isinstance(path, str) and not os.path.isabs(path) and '://' not in path


def _moved(path: str, roots: list[str], new: str, known: bool) -> str | None:
    """A path below the new folder instead of an old one; None if it lies below none of the old ones."""
    tails = [tail for root in roots if (tail := _tail(path, root, known)) is not None]
    if not tails:
        return None
    end = '/' if tails[0] and path.endswith(('/', '\\')) else ''
    return new + tails[0] + end


def _tail(path: str, root: str, known: bool) -> str | None:
    """The part of a path below a folder; None if it lies elsewhere.

    Args:
        path (str): The path, or another text.
        root (str): The folder; ``''`` is the current one.
        known (bool): The text is surely a path; else it is compared as it is written, and never with
            the current folder.
    """
    path, root = _normal(path, known), _normal(root, known)
    if path == root:
        return '' if known or root != '.' else None
    folder = root.rstrip('/') + '/'
    return path[len(folder) :] if path.startswith(folder) else None


def _normal(path: str, absolute: bool) -> str:
    path = path.replace('\\', '/')
    return (os.path.abspath(path) if absolute else os.path.normpath(path)).replace('\\', '/')


def _is_set(field: str, options: Collection[str]) -> bool:
    return any(f'{field}.'.startswith(f'{option}.') for option in options)


def _listed(homes: Mapping[str, str]) -> str:
    """Fields and their values; those of equal value together."""
    groups: dict[str, list[str]] = {}
    for field, home in list(homes.items())[:NAMED_AT_MOST]:
        groups.setdefault(home, []).append(field)
    more = f' and {len(homes) - NAMED_AT_MOST} more' if len(homes) > NAMED_AT_MOST else ''
    return ', '.join(f'{" and ".join(fields)}={home!r}' for home, fields in groups.items()) + more
