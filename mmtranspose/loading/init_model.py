"""Build a pose estimator from a config, with the weights of a checkpoint, on a device."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.config import Config
from mmpose.apis import init_model as mmpose_init_model

from mmtranspose.errors import InputError
from mmtranspose.loading.checkpoint import Checkpoint
from mmtranspose.loading.config import load_config, require_model
from mmtranspose.loading.zoo import default_weights, is_model
from mmtranspose.models.input_size import size_misfit
from mmtranspose.typing import PathLike, PoseEstimator

UNTRAINED = 'give a checkpoint, or for a model as initialised the config itself: init_model(load_config({name!r}))'


def init_model(
    config: PathLike | Config,
    checkpoint: PathLike | None = None,
    device: str = 'cpu',
    cfg_options: dict[str, Any] | None = None,
    allow_partial: bool = False,
    allow_non_finite: bool = False,
) -> PoseEstimator:
    """Build a pose estimator and load its weights; as MMPose's ``init_model``, but mistakes are errors, not warnings.

    Args:
        config (str | Path | Config): The config, its file, or a model's name or alias (``'transpose-r-a3'``).
        checkpoint (str | Path | None): A file or URL, ``.pth`` or ``.safetensors``; the authors' released weights are
            accepted, too. None: where ``config`` is the name or alias of a model, that model's released weights, which
            are fetched once and kept where torch keeps them; otherwise (a Config, or the path of a config, those of
            this package included) the model stays as initialised, as with MMPose's ``init_model``. So
            ``init_model(load_config('transpose-r-a3'))`` is untrained.
        device (str): ``'cpu'``, ``'cuda:0'``, ...
        cfg_options (dict | None): Options to merge into the config file: dotted keys to values.
        allow_partial (bool): Load what fits of a checkpoint that does not match the model, and log what is left out.
        allow_non_finite (bool): Accept weights that are NaN or infinite, as of a training that diverged.

    Returns:
        PoseEstimator: The model in evaluation mode, with ``cfg`` and ``dataset_meta``.

    Raises:
        InputError: The config cannot be read, or names unknown modules or values, or sizes that do not fit the network
            (see :func:`~mmtranspose.models.input_size.size_misfit`); the checkpoint cannot be fetched or read, does not
            match the model or has weights that are not finite; there is no checkpoint, and the model of this name has
            no released weights; the device is not there.
    """
    require_device(device)
    if checkpoint is None and is_model(config):
        checkpoint = default_weights(str(config), UNTRAINED.format(name=config))
    weights = None if checkpoint is None else Checkpoint.read(checkpoint, allow_non_finite)
    cfg = config if isinstance(config, Config) else load_config(config, cfg_options)
    require_model(cfg)
    name = cfg.filename or 'config'
    try:
        model = mmpose_init_model(cfg, None, device='cpu', cfg_options=None)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f'{name}: the model cannot be built: {error}') from error
    misfit = size_misfit(model)
    if misfit is not None:
        raise InputError(f'{name}: model.head.decoder.{misfit[0]}{misfit[1]}')
    if weights is not None:
        weights.require_match(model, allow_partial)
        weights.load_into(model)
        if weights.dataset_meta.get('num_keypoints') == model.head.out_channels:  # else only a part was taken
            model.dataset_meta = weights.dataset_meta
    return model.to(device)


def require_device(device: str) -> None:
    """Check that PyTorch can use a device.

    Args:
        device (str): ``'cpu'``, ``'cuda'``, ``'cuda:0'``, ...

    Raises:
        InputError: The device is unknown, or PyTorch does not see it.
    """
    try:
        wanted = torch.device(device)
    except RuntimeError:
        raise InputError(f'device {device} is unknown; use cpu, cuda:0, ...') from None
    if wanted.type == 'mps' and not torch.backends.mps.is_available():
        raise InputError(f'device {device} is not available: this PyTorch sees no Apple GPU; use --device cpu')
    if wanted.type != 'cuda':
        return
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if count == 0:
        raise InputError(f'device {device} is not available: this PyTorch sees no GPU; use --device cpu')
    if (wanted.index or 0) >= count:
        raise InputError(f'device {device} is not available: this PyTorch sees {count} GPU(s), numbered from 0')
