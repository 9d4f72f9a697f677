"""Load ``.safetensors`` files where mmengine loads a checkpoint.

Fault: mmengine's ``CheckpointLoader`` gives every file, local or fetched, to ``torch.load``, which cannot read
``.safetensors``.
Versions: mmengine <= 0.10.7.
Can go: when ``CheckpointLoader`` reads ``.safetensors``.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from mmtranspose.compat.checkpoint_files import DamagedFileError
from mmtranspose_cli.optional_packages import pip_install

LOCAL_SAFETENSORS = r'(?!\w+://).*\.(?i:safetensors)$'
# mmengine takes the first scheme that matches, from the last in the alphabet: this one comes before "https://".
WEB_SAFETENSORS = r'https?://[^?#]*\.(?i:safetensors)(?:[?#]|$)'


def apply() -> None:
    """Register the reader with ``CheckpointLoader``, for local files."""
    from mmengine.runner.checkpoint import CheckpointLoader

    CheckpointLoader.register_scheme(LOCAL_SAFETENSORS, load_safetensors, force=True)


def apply_to_urls(fetch: Callable[[str], Path]) -> None:
    """Register the reader for URLs too; ``fetch`` gives the file that a URL is kept in."""
    from mmengine.runner.checkpoint import CheckpointLoader

    def load(filename: str, map_location: str | torch.device | None = None) -> dict[str, Tensor]:
        return load_safetensors(str(fetch(filename)), map_location)

    CheckpointLoader.register_scheme(WEB_SAFETENSORS, load, force=True)


def load_safetensors(filename: str, map_location: str | torch.device | None = None) -> dict[str, Tensor]:
    """Load the tensors of a ``.safetensors`` file by their names, as a bare state dict.

    Raises:
        ImportError: The package safetensors is not installed.
        DamagedFileError: The file is truncated, or its header is damaged. The numbers of tensors have no check sum.
    """
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ImportError as error:
        raise ImportError(f'{filename} needs the package safetensors: {pip_install("safetensors")}') from error
    try:
        return load_file(os.path.expanduser(filename), device=str(map_location or 'cpu'))
    except SafetensorError as error:
        raise DamagedFileError(f'checkpoint {filename} is damaged, or not a .safetensors file: {error}') from error
