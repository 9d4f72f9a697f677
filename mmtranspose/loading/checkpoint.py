"""Reading checkpoints, and refusing those that are not the model's."""

from __future__ import annotations

import pickle
import re
from pathlib import Path

import torch
from mmengine.logging import print_log
from mmengine.runner.checkpoint import CheckpointLoader
from torch import Tensor, nn

from mmtranspose.compat import checkpoint_files
from mmtranspose.errors import InputError, reason
from mmtranspose.loading.closest_model import looks_like
from mmtranspose.loading.weights_comparison import compare, shortlist

ADVICE = 'To start from what fits (transfer to other keypoints), use --allow-partial.'


def read_checkpoint(filename: str) -> dict:
    """A checkpoint's content, on the CPU; loaded with ``weights_only=True``.

    Args:
        filename (str): A ``.pth`` or ``.safetensors`` file, or a URL as mmengine takes it.

    Raises:
        InputError: The file is missing, truncated or no checkpoint, or would run code when loaded.
    """
    filename = str(filename)
    if not checkpoint_files.RUNS_NO_CODE:
        raise InputError(
            f'checkpoint {filename} is not loaded: torch {torch.__version__} would run the code that a file brings; '
            'install torch 2.6 or newer'
        )
    if '://' in filename and filename.lower().endswith('.safetensors'):
        raise InputError(f'checkpoint {filename}: download the file first; .safetensors is read from disk only')
    if '://' not in filename:
        _check_file(Path(filename).expanduser())
    try:
        checkpoint = CheckpointLoader.load_checkpoint(filename, map_location='cpu')
    except pickle.UnpicklingError as error:
        wanted = re.search(r'GLOBAL ([\w.]+)', str(error))
        if wanted:
            raise InputError(
                f'checkpoint {filename} is refused: besides weights it holds {wanted[1]}, which could run code'
            ) from error
        raise InputError(f'checkpoint {filename} is damaged or no checkpoint') from error
    except ImportError as error:
        raise InputError(f'checkpoint {error}') from error
    except Exception as error:  # noqa: BLE001  torch raises many types, by what is damaged
        if '://' in filename and isinstance(error, OSError):
            raise InputError(f'checkpoint {filename} cannot be downloaded: {reason(error)}') from error
        raise InputError(
            f'checkpoint {filename} cannot be read; it is truncated or no checkpoint ({reason(error)})'
        ) from error
    if not isinstance(checkpoint, dict):
        raise InputError(f'checkpoint {filename} holds a {type(checkpoint).__name__}, not a dict of weights')
    return checkpoint


def _check_file(path: Path) -> None:
    if not path.is_file():
        raise InputError(f'checkpoint {path} does not exist')
    with open(path, 'rb') as file:
        start = file.read(64).lstrip().lower()
    if start.startswith((b'<!doctype', b'<html', b'<?xml')):
        raise InputError(f'checkpoint {path} cannot be read: it is a web page, not weights; download it again')


def weights_of(checkpoint: dict, filename: str) -> dict[str, Tensor]:
    """The weights in a checkpoint by name, without the ``module.`` that a parallel wrapper puts before them.

    Args:
        checkpoint (dict): From :func:`read_checkpoint`: a bare state dict, or one with ``state_dict``.
        filename (str): For messages.

    Raises:
        InputError: It holds no weights, or something else among them.
    """
    weights = checkpoint_files.state_dict_of(checkpoint)
    if weights is None:
        kind = type(checkpoint['state_dict']).__name__
        raise InputError(f'checkpoint {filename} holds a {kind} as state_dict, not a dict of weights')
    others = [str(name) for name, value in weights.items() if not (isinstance(name, str) and _is_plain(value))]
    if others or not weights:
        held = f'holds {shortlist(others)}, which are no named, dense tensors' if others else 'holds no weights'
        raise InputError(f'checkpoint {filename} {held}; a state dict, or a dict with state_dict, is wanted')
    return weights


def _is_plain(value: object) -> bool:
    return isinstance(value, Tensor) and value.layout is torch.strided


def require_match(
    model: nn.Module, checkpoint: dict, filename: str, allow_partial: bool = False, advice: str = ADVICE
) -> None:
    """Refuse a checkpoint that leaves a parameter of the model unset or brings one that the model does not have.

    Args:
        model (nn.Module): The model that is to load it.
        checkpoint (dict): From :func:`read_checkpoint`.
        filename (str): For messages.
        allow_partial (bool): Take what fits and log what was kept, left as initialised, and not used.
        advice (str): Ends the message.

    Raises:
        InputError: It does not match; lists the differences, says which model of ours the file looks like. With
            ``allow_partial``: it shares no parameter with the model.
    """
    weights = weights_of(checkpoint, filename)
    found = compare(model, weights)
    if found.complete:
        return
    if not found.kept:
        raise InputError(
            f'checkpoint {filename} shares no parameter with the model of this config: it has '
            f'{shortlist(list(weights)[:3])}, ... and the model {shortlist(list(model.state_dict())[:3])}, ... '
            f'{looks_like(weights)}'
        )
    if not allow_partial:
        raise InputError(
            f'checkpoint {filename} does not match the model of this config. {looks_like(weights)} Differences: '
            f'{found.differences()}. {advice}'.rstrip()
        )
    total = len(found.kept) + len(found.reshaped) + len(found.missing)
    print_log(
        f'{filename}: kept {len(found.kept)} of {total} parameters and buffers. Left as initialised or not used: '
        f'{found.differences()}.',
        logger='current',
    )


def meta_of(checkpoint: dict) -> dict:
    """A checkpoint's ``meta``; empty where it has none."""
    meta = checkpoint.get('meta')
    return meta if isinstance(meta, dict) else {}


def require_resumable(checkpoint: dict, filename: str) -> None:
    """Refuse to resume from weights alone.

    Raises:
        InputError: The checkpoint does not say how far its training went.
    """
    if not {'epoch', 'iter'} <= set(meta_of(checkpoint)):
        raise InputError(
            f'checkpoint {filename} holds weights alone, so no training can be resumed from it; to start from these '
            f'weights, use --cfg-options load_from={filename}'
        )
