"""What a ``.safetensors`` file says about its weights, kept in the file's header as JSON."""

from __future__ import annotations

import json
import os
from typing import Any

from torch import Tensor

from mmtranspose.compat.safetensors_files import load_safetensors
from mmtranspose.errors import InputError
from mmtranspose.files.json_files import decoded, encoded

KEY = 'mmtranspose'


def header(meta: dict[str, Any]) -> dict[str, str]:
    """The header of a file whose weights ``meta`` is about.

    Raises:
        InputError: There are objects in it that are no plain data.
    """
    try:
        return {'format': 'pt', KEY: json.dumps(encoded(meta))}
    except InputError as error:
        raise InputError(f'{error}: write .pth in place of .safetensors') from None


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
        return dict(state_dict=state, meta=decoded(json.loads(text)))
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise InputError(f'checkpoint {path}: what its header says of the weights cannot be read: {error}') from error
