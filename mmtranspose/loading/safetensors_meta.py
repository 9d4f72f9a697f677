"""What a ``.safetensors`` file says about its weights, kept in the file's header as JSON."""

from __future__ import annotations

import json
import os
from typing import Any

import numpy as np
from torch import Tensor

from mmtranspose.compat.safetensors_files import load_safetensors
from mmtranspose.errors import InputError

KEY = 'mmtranspose'


def header(meta: dict[str, Any]) -> dict[str, str]:
    """The header of a file whose weights ``meta`` is about.

    Raises:
        InputError: There are objects in it that are no plain data.
    """
    return {'format': 'pt', KEY: json.dumps(_encoded(meta))}


def read_safetensors(path: str, map_location: str = 'cpu') -> dict[str, Any]:
    """Read a file: a state dict with names in alphabetical order, under ``state_dict`` beside ``meta`` if it has one.

    Raises:
        ImportError: The package safetensors is not installed.
        DamagedFileError: The file is truncated, or its header is damaged.
        InputError: What the header says of the weights cannot be read.
    """
    weights = load_safetensors(path, map_location)
    state: dict[str, Tensor] = {name: weights[name] for name in sorted(weights)}
    from safetensors import safe_open

    with safe_open(os.path.expanduser(path), framework='pt') as file:
        text = (file.metadata() or {}).get(KEY)
    if text is None:
        return state
    try:
        return dict(state_dict=state, meta=_decoded(json.loads(text)))
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise InputError(f'checkpoint {path}: what its header says of the weights cannot be read: {error}') from error


def _encoded(value: Any) -> Any:
    """A value as JSON holds it: dicts, tuples and arrays under their kind, so that they come back as what they were."""
    if isinstance(value, dict):
        return {'dict': [[_encoded(key), _encoded(one)] for key, one in value.items()]}
    if isinstance(value, tuple):
        return {'tuple': [_encoded(one) for one in value]}
    if isinstance(value, list):
        return [_encoded(one) for one in value]
    if isinstance(value, np.ndarray) and value.dtype.kind in 'biufU':
        return {'array': value.tolist(), 'dtype': value.dtype.str, 'shape': value.shape}
    if isinstance(value, np.generic):
        return _encoded(value.item())
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise InputError(f'{str(value)[:60]!r}, a {type(value).__name__}, cannot be written to .safetensors; use .pth')


def _decoded(value: Any) -> Any:
    if isinstance(value, list):
        return [_decoded(one) for one in value]
    if not isinstance(value, dict):
        return value
    if 'dict' in value:
        return {_decoded(key): _decoded(one) for key, one in value['dict']}
    if 'tuple' in value:
        return tuple(_decoded(one) for one in value['tuple'])
    return np.array(value['array'], np.dtype(value['dtype'])).reshape(value['shape'])
