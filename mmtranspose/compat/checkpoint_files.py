"""What mmengine's ``CheckpointLoader`` reads: ``.safetensors`` too, and nothing from a URL but weights.

Fault: mmengine reads a URL through ``torch.utils.model_zoo.load_url``, whose ``weights_only`` is False by default: a
checkpoint from the network runs the code that it brings. And it has no reader for ``.safetensors``.
Versions: mmengine <= 0.10.7, torch <= 2.11.
Can go: when mmengine (or torch's ``load_url``) loads URLs with ``weights_only=True`` and reads ``.safetensors``.
"""

from __future__ import annotations

import functools

import torch

SAFETENSORS = r'(?!\w+://).*\.safetensors$'  # local files
RUNS_NO_CODE = tuple(int(number) for number in torch.__version__.split('.')[:2]) >= (2, 6)


def load_safetensors(filename: str, map_location: str | torch.device | None = None) -> dict:
    """The tensors of a ``.safetensors`` file by their names, as a bare state dict.

    Raises:
        ImportError: The package safetensors is not installed.
    """
    try:
        from safetensors.torch import load_file
    except ImportError as error:
        raise ImportError(f'{filename} needs the package safetensors: pip install safetensors') from error
    return load_file(filename, device=str(map_location or 'cpu'))


def apply() -> None:
    """Register the reader of ``.safetensors``, and load URLs with ``weights_only=True``."""
    import mmengine.runner.checkpoint as checkpoint

    checkpoint.CheckpointLoader.register_scheme(SAFETENSORS, load_safetensors, force=True)
    if not isinstance(checkpoint.load_url, functools.partial):
        checkpoint.load_url = functools.partial(checkpoint.load_url, weights_only=True)
