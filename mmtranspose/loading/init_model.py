"""Build a model from a config, on a device, with the weights of a checkpoint."""

from __future__ import annotations

from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.runner.checkpoint import _load_checkpoint_to_model
from mmpose.apis import init_model as mmpose_init_model
from torch import nn

from mmtranspose.errors import InputError
from mmtranspose.loading.checkpoint import meta_of, read_checkpoint, require_match
from mmtranspose.loading.config import load_config, require_model


def init_model(
    config: str | Path | Config,
    checkpoint: str | None = None,
    device: str = 'cpu',
    cfg_options: dict | None = None,
    allow_partial: bool = False,
) -> nn.Module:
    """MMPose's ``init_model`` that refuses a config or checkpoint it cannot use.

    Args:
        config (str | Path | Config): The config, its file, or a model's name or alias (``'transpose-r-a3'``).
        checkpoint (str | None): A file or URL; our own checkpoints and the authors' released ones, ``.pth`` or
            ``.safetensors``. None leaves the model as initialised.
        device (str): ``'cpu'``, ``'cuda:0'``, ...
        cfg_options (dict | None): Options merged into the config.
        allow_partial (bool): Take what fits of a checkpoint that does not match the model, and log what was kept.

    Returns:
        nn.Module: The pose estimator in evaluation mode, with ``cfg`` and ``dataset_meta``.

    Raises:
        InputError: The config cannot be read or names unknown modules or values; the checkpoint cannot be read or
            does not match the model; the device is not there.
    """
    require_device(device)
    content = None if checkpoint is None else read_checkpoint(checkpoint)
    cfg = config if isinstance(config, Config) else load_config(str(config), cfg_options)
    require_model(cfg)
    name = cfg.filename or 'config'
    try:
        model = mmpose_init_model(cfg, None, device='cpu', cfg_options=None)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f'{name}: the model cannot be built: {error}') from error
    if content is not None:
        require_match(model, content, checkpoint, allow_partial)
        _load_checkpoint_to_model(model, content)
        meta = meta_of(content).get('dataset_meta') or {}
        if meta.get('num_keypoints') == model.head.out_channels:  # else of what a part was taken from
            model.dataset_meta = meta
    return model.to(device)


def require_device(device: str) -> None:
    """Check that a device is there.

    Args:
        device (str): ``'cpu'``, ``'cuda'``, ``'cuda:0'``, ...

    Raises:
        InputError: It is unknown, or this PyTorch does not see it.
    """
    try:
        wanted = torch.device(device)
    except RuntimeError:
        raise InputError(f'device {device} is unknown; use cpu, cuda:0, ...') from None
    if wanted.type != 'cuda':
        return
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if count == 0:
        raise InputError(f'device {device} is not there: this PyTorch sees no GPU; use --device cpu')
    if (wanted.index or 0) >= count:
        raise InputError(f'device {device} is not there: this PyTorch sees {count} GPU(s), numbered from 0')
