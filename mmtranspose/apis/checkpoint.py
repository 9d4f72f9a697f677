"""Reading checkpoints and refusing those that cannot be meant for the model."""

from __future__ import annotations

import pickle
from pathlib import Path

from mmengine.runner.checkpoint import CheckpointLoader
from torch import nn

from mmtranspose.errors import InputError
from mmtranspose.models.released_weights import is_released, rename


def read_checkpoint(filename: str) -> dict:
    """A checkpoint's content, on the CPU.

    Args:
        filename (str): A file, or a URL as mmengine takes it.

    Raises:
        InputError: The file is missing, truncated or no checkpoint, or would run code when loaded.
    """
    if '://' not in str(filename) and not Path(filename).is_file():
        raise InputError(f'checkpoint {filename} does not exist')
    try:
        checkpoint = CheckpointLoader.load_checkpoint(str(filename), map_location='cpu')
    except pickle.UnpicklingError as error:
        reason = str(error).splitlines()[0]
        raise InputError(f'checkpoint {filename} is damaged or holds more than weights; refused ({reason})') from error
    except Exception as error:  # noqa: BLE001  torch raises many types, by what is damaged
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(
            f'checkpoint {filename} cannot be read; it is truncated or no checkpoint ({reason})'
        ) from error
    if not isinstance(checkpoint, dict):
        raise InputError(f'checkpoint {filename} holds a {type(checkpoint).__name__}, not a dict of weights')
    return checkpoint


def require_match(model: nn.Module, checkpoint: dict, filename: str) -> None:
    """Refuse a checkpoint that shares no parameter (name and shape) with the model.

    Raises:
        InputError: It shares none; names a few of both sides.
    """
    weights = checkpoint.get('state_dict', checkpoint)
    if not isinstance(weights, dict):
        raise InputError(f'checkpoint {filename} holds a {type(weights).__name__} as state_dict, not a dict of weights')
    names = {name.removeprefix('module.'): value for name, value in weights.items()}
    if is_released(names):
        names = {rename(name): value for name, value in names.items()}
    wanted = model.state_dict()
    shared = [n for n, v in names.items() if n in wanted and getattr(v, 'shape', None) == wanted[n].shape]
    if not shared:
        raise InputError(
            f'checkpoint {filename} shares no parameter with the model of this config: it has '
            f'{", ".join(list(names)[:3])}, ... and the model {", ".join(list(wanted)[:3])}, ...'
        )
