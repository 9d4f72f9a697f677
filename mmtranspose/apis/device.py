"""The device that a model is to run on."""

from __future__ import annotations

import torch

from mmtranspose.errors import InputError


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
