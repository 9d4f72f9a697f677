"""Turn errors that a config's values cause into one sentence that names the field."""

from __future__ import annotations

import inspect
import re
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

from mmengine.config import Config
from mmengine.registry import Registry

from mmtranspose.errors import InputError, reason
from mmtranspose.loading.config_overrides import did_you_mean

MISTAKES = (
    *(AssertionError, AttributeError, FileNotFoundError, IndexError, KeyError, OverflowError, RuntimeError),
    *(TypeError, UnboundLocalError, ValueError, ZeroDivisionError),
)
# Functions of mmengine in which a part of a config is a local variable: while one of them runs, that part is built.
BUILDERS = dict(
    build_from_cfg='cfg',
    build_scheduler_from_cfg='cfg',
    build_dataloader='dataloader',
    build_evaluator='evaluator',
    build_optim_wrapper='optim_wrapper',
    build_log_processor='log_processor',
    build_visualizer='visualizer',
    set_multi_processing='mp_cfg',
    register_hook='hook',
)
SECTIONS = {'set_randomness': 'randomness', 'setup_env': 'env_cfg', 'build_logger': 'log_level', 'init_dist': 'env_cfg'}


NO_SAMPLE = 'no sample is left: the annotation file has none, or the filters leave none'


def mistake(cfg: Config, field: str, why: str) -> InputError:
    """The error for a field of a config (dotted): ``config FILE: FIELD: WHY``, or ``FIELD=...`` where ``why`` does."""
    return InputError(f'config {cfg.filename}: {field}{"" if why.startswith("=") else ": "}{why}')


@contextmanager
def naming_fields(cfg: Config, *sections: str) -> Iterator[None]:
    """Turn what a wrong value of the config raises in the block into an :class:`InputError` that names the field.

    The error tells the field: whatever mmengine's registries were building last is looked up in the config. Errors that
    no value causes (a full disk, memory, CUDA, other processes, an import) pass, and keep their traceback.

    Args:
        cfg (Config): The config.
        *sections (str): Its parts that the block builds, dotted; the first is named if the field cannot be told.
    """
    try:
        yield
    except Exception as error:
        if not _is_mistake(error):
            raise
        raise mistake(cfg, *_explained(cfg, _field(cfg, sections, error), error)) from error


def _is_mistake(error: Exception) -> bool:
    if 'occurs when loading' in str(error):  # of MMPose's LoadImage: an image that cannot be read
        return False
    if isinstance(error, RuntimeError) and (type(error) is not RuntimeError or 'CUDA' in str(error)):
        return False
    return isinstance(error, MISTAKES) or type(error) is Exception  # which pycocotools raises


def _frames(error: BaseException) -> list[FrameType]:
    return [frame for frame, _ in traceback.walk_tb(error.__traceback__)]


def _field(cfg: Config, sections: tuple[str, ...], error: BaseException) -> str:
    """The dotted field that was being built when the error came up."""
    found = sections[0]
    for frame in _frames(error):
        name = frame.f_code.co_name
        part = frame.f_locals.get(BUILDERS.get(name, ''))
        if isinstance(part, Mapping):
            loader = [section for section in sections if name == 'build_dataloader' and section.endswith('_dataloader')]
            found = next(places_of(cfg, sections, part), (*loader, found)[0])
        elif name in SECTIONS:
            found = SECTIONS[name]
    return found


def places_of(cfg: Config, sections: tuple[str, ...], part: Mapping) -> Iterator[str]:
    """The dotted fields below some sections that hold a dict, whose builder may have added defaults to it since."""
    for section in sections:
        for field, value in _dicts(at(cfg, section), section):
            content = {key: item for key, item in value.items() if key not in ('_scope_', 'priority')}
            if content and all(key in part and _equal(part[key], item) for key, item in content.items()):
                yield field


def at(cfg: Config, field: str) -> Any:
    """What a config holds at a dotted field; None if it has no such field."""
    value: Any = cfg
    for key in field.split('.'):
        if isinstance(value, (Mapping, Config)):
            value = value.get(key)
        else:
            value = value[int(key)] if isinstance(value, (list, tuple)) and int(key) < len(value) else None
    return value


def _dicts(value: Any, field: str) -> Iterator[tuple[str, Mapping]]:
    if isinstance(value, Mapping):
        yield field, value
        for key, item in value.items():
            yield from _dicts(item, f'{field}.{key}')
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from _dicts(item, f'{field}.{index}')


def _equal(one: Any, other: Any) -> bool:
    try:
        return bool(one == other)
    except (RuntimeError, ValueError):  # arrays and tensors
        return False


def _explained(cfg: Config, field: str, error: Exception) -> tuple[str, str]:
    """The field, perhaps down to its last key, and what is wrong with it."""
    if isinstance(error, InputError):
        return field, str(error)
    message, frames = str(error.args[0]) if error.args else '', _frames(error)
    if 'must contain the key "type"' in message:
        return field, f'it has no type{_sibling(cfg, field)}'
    unregistered = re.match(r'(\S+) is not in the .* registry', message)
    if unregistered and isinstance(frames[-1].f_locals.get('registry'), Registry):
        return f'{field}.type', unknown_type(unregistered[1], frames[-1].f_locals['registry'])
    unexpected = re.search(r"(\w+)(?:\.__init__)?\(\) got an unexpected keyword argument '(\w+)'", message)
    if unexpected:
        known = _arguments(frames[-1], unexpected[1])
        return field, f'{unexpected[1]} has no argument {unexpected[2]}{did_you_mean(unexpected[2], known)}'
    missing = re.search(r'missing \d+ required (?:positional|keyword-only) arguments?: (.*)', message)
    if missing:
        return field, f'it lacks {missing[1]}'
    if 'need at least one array to concatenate' in message:  # of mmengine's BaseDataset
        return field, NO_SAMPLE
    if isinstance(error, KeyError) and ' ' not in message:
        return field, f'{message} is missing or unknown'
    if not message:  # a bare assertion
        return field, f'it does not pass `{traceback.extract_tb(error.__traceback__)[-1].line}`'
    return field, reason(Exception(message))


def _sibling(cfg: Config, field: str) -> str:
    """Names beside a field that are like it, as of a default hook."""
    parent, _, name = field.rpartition('.')
    siblings = at(cfg, parent) if parent else None
    known = [key for key in siblings if key != name] if isinstance(siblings, Mapping) else []
    return did_you_mean(name, known)


def _arguments(frame: FrameType, kind: str) -> list[str]:
    """The names of the arguments of a class or function that was called in a frame."""
    called: list[Any] = [*frame.f_locals.values(), frame.f_globals.get(kind)]
    owners = [base for one in called for base in (one.__mro__ if inspect.isclass(one) else [one])]
    functions = [one.__init__ if inspect.isclass(one) else one for one in owners]
    return [name for one in functions if inspect.isroutine(one) for name in _parameters(one)]


def _parameters(function: Any) -> list[str]:
    try:
        return [name for name in inspect.signature(function).parameters if name not in ('self', 'args', 'kwargs')]
    except ValueError:  # of built-in functions
        return []


def unknown_type(kind: str, registry: Registry) -> str:
    """The end of a message about a type that is not in a registry: ``='X' is unknown; did you mean Y?``."""
    known: list[str] = []
    above: Registry | None = registry
    while above is not None:
        known, above = [*known, *above.module_dict], above.parent
    near = did_you_mean(kind.split('.')[-1].split('::')[-1], known)
    return f'={kind!r} is unknown{near or f"; no {registry.name} of that name is registered"}'
