"""Find options of ``--cfg-options`` that would change nothing, because nobody reads the key that they set."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from mmengine.config import Config

from mmtranspose.errors import InputError

# The top-level keys of a config that mmengine's Runner (0.10.7), MMPose, MMDetection or this package reads.
READ = (
    *('model', 'data_preprocessor', 'train_dataloader', 'val_dataloader', 'test_dataloader'),
    *('train_cfg', 'val_cfg', 'test_cfg', 'optim_wrapper', 'param_scheduler', 'auto_scale_lr'),
    *('val_evaluator', 'test_evaluator', 'default_hooks', 'custom_hooks', 'custom_imports', 'default_scope'),
    *('env_cfg', 'launcher', 'randomness', 'log_processor', 'log_level', 'visualizer', 'experiment_name'),
    *('load_from', 'resume', 'work_dir', 'allow_partial', 'allow_non_finite', 'data_root', 'data_check'),
    *('model_wrapper_cfg', 'find_unused_parameters', 'sync_bn', 'compile'),
    *('activation_checkpointing', 'efficient_conv_bn_eval'),
)
# Keys of dicts that are read one by one, so that an unknown key would be passed over. (Other dicts become arguments of
# a class or function, which refuses those that it does not know.)
READ_BELOW = {
    'env_cfg': ('cudnn_benchmark', 'mp_cfg', 'dist_cfg', 'resource_limit'),
    'auto_scale_lr': ('enable', 'base_batch_size'),
    'optim_wrapper.paramwise_cfg': (
        *('custom_keys', 'bias_lr_mult', 'bias_decay_mult', 'norm_decay_mult', 'dwconv_decay_mult'),
        *('flat_decay_mult', 'bypass_duplicate', 'dcn_offset_lr_mult'),
    ),
}
READ_BY_TOPDOWN = {  # by MMPose's TopdownPoseEstimator and the heads that it may have
    'model.train_cfg': ('compute_acc',),
    'model.test_cfg': (
        *('flip_test', 'flip_mode', 'shift_heatmap', 'shift_coords', 'output_heatmaps'),
        'output_keypoint_indices',
    ),
}
NAMED_AT_MOST = 8  # places in a message


def check_overrides(cfg: Config, options: Mapping[str, Any]) -> None:
    """Check that options reach something, before they are merged into a config.

    Only options are judged: a config file may hold any helper variables. The values of those are copied to where they
    are used when the file is read, so an option that sets a helper variable afterwards changes nothing.

    Args:
        cfg (Config): The config file's content.
        options (dict): Dotted keys to values.

    Raises:
        InputError: Nobody reads the key of an option; the message names the places that hold a copy of the value, or
            the key that was probably meant.
    """
    for option, value in options.items():
        first = option.split('.')[0]
        if first not in READ:
            raise InputError(f'option {option}={value} reaches nothing: {_advice(cfg, option)}')
        _check_below(cfg, option, value)


def _check_below(cfg: Config, option: str, value: Any) -> None:
    topdown = (cfg.get('model') or {}).get('type') == 'TopdownPoseEstimator'
    for parent, known in {**READ_BELOW, **(READ_BY_TOPDOWN if topdown else {})}.items():
        if option.startswith(f'{parent}.'):
            keys = [option[len(parent) + 1 :].split('.')[0]]
        else:
            keys = list(value) if option == parent and isinstance(value, Mapping) else []
        for key in keys:
            if key not in (*known, '_delete_', '_scope_'):
                near = did_you_mean(key, known) or f'; choose from {", ".join(known)}'
                raise InputError(f'option {option}={value} reaches nothing: nothing reads {parent}.{key}{near}')


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown name: the most similar known ones, or nothing if none is similar."""
    close = get_close_matches(name, list(dict.fromkeys(known)), n=3, cutoff=0.6)
    return f'; did you mean {" or ".join(close)}?' if close else ''


def _advice(cfg: Config, option: str) -> str:
    """Say what to set instead of a top-level key that nobody reads."""
    first = option.split('.')[0]
    if first not in cfg:
        near = did_you_mean(first, READ) or f'; the keys that are read are {", ".join(READ)}'
        return f'nothing reads {first}{near}'
    places = list(dict.fromkeys(_copies(cfg, option.split('.'))))
    said = f'{first} is a variable of the config file, whose value was copied when the file was read'
    if not places:
        return f'{said}, and no copy of it was found; set what depends on it instead, or change the config file'
    more = f' and {len(places) - NAMED_AT_MOST} more' if len(places) > NAMED_AT_MOST else ''
    return f'{said}; set {", ".join(places[:NAMED_AT_MOST])}{more} instead'


def _copies(cfg: Config, keys: list[str]) -> Iterator[str]:
    """The dotted keys, in parts of the config that are read, that hold what a variable (or a part of it) holds."""
    places = [(path, value) for part in READ if part in cfg for path, value in _walk(cfg[part], (part,))]
    values = [cfg[keys[0]]]
    for key in keys[1:]:
        inside = values[-1]
        if isinstance(inside, Mapping) and key in inside:
            values.append(inside[key])
        elif isinstance(inside, (list, tuple)) and key.isdigit() and int(key) < len(inside):
            values.append(inside[int(key)])
        else:
            break
    for depth, whole in enumerate(values):  # the variable itself, then what it holds
        for path, value in places:
            same_key = depth > 0 and path[-1] == keys[depth]
            if _tells(whole, same_key) and _plain(value) == _plain(whole):
                yield '.'.join((*path, *keys[depth + 1 :]))


def _tells(value: Any, same_key: bool) -> bool:
    """Whether an equal value elsewhere is probably a copy: numbers and flags are equal by chance."""
    return same_key or (isinstance(value, (str, Mapping, list, tuple)) and len(value) > 0)


def _plain(value: Any) -> Any:
    """A value as plain dicts and lists, without the scopes that mmengine writes into dicts of inherited files."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items() if key != '_scope_'}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def _walk(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield path, value
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _walk(item, (*path, str(key)))
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from _walk(item, (*path, str(index)))
