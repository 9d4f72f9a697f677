"""What mmengine's ``CheckpointLoader`` reads: weights and plain data, ``.safetensors`` too, and nothing that runs code.

Fault: mmengine leaves ``weights_only`` to torch. A URL is read through ``torch.utils.model_zoo.load_url``, whose
default is False: a checkpoint from the network runs the code that it brings. A local file is read as a whole
pickle by torch before 2.6, or where ``TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD`` is set. There is no reader for
``.safetensors``. And hooks (``EMAHook``) expect ``state_dict`` in what they get, so a bare state dict fails.
Versions: mmengine <= 0.10.7, torch <= 2.11.
Can go: when mmengine loads with ``weights_only=True``, reads ``.safetensors``, and gives hooks a bare state dict as one
with ``state_dict``.
"""

from __future__ import annotations

import functools
import os

import torch

SAFETENSORS = r'(?!\w+://).*\.(?i:safetensors)$'  # local files
# Before 2.6 weights_only=True itself could be made to run code (CVE-2025-32434)
RUNS_NO_CODE = tuple(int(number) for number in torch.__version__.split('.')[:2]) >= (2, 6)


def load_local(filename: str, map_location: str | torch.device | None = None) -> object:
    """A file's content, loaded with ``weights_only=True``.

    Raises:
        FileNotFoundError: There is no such file.
    """
    return torch.load(os.path.expanduser(filename), map_location=map_location, weights_only=True)


def load_safetensors(filename: str, map_location: str | torch.device | None = None) -> dict:
    """The tensors of a ``.safetensors`` file by their names, as a bare state dict.

    Raises:
        ImportError: The package safetensors is not installed.
    """
    try:
        from safetensors.torch import load_file
    except ImportError as error:
        raise ImportError(f'{filename} needs the package safetensors: pip install safetensors') from error
    return load_file(os.path.expanduser(filename), device=str(map_location or 'cpu'))


def apply() -> None:
    """Register the readers, and load URLs with ``weights_only=True``."""
    import mmengine.runner.checkpoint as checkpoint

    checkpoint.CheckpointLoader.register_scheme('', load_local, force=True)
    checkpoint.CheckpointLoader.register_scheme(SAFETENSORS, load_safetensors, force=True)
    if not isinstance(checkpoint.load_url, functools.partial):
        checkpoint.load_url = functools.partial(checkpoint.load_url, weights_only=True)


def state_dict_of(content: object) -> dict | None:
    """The weights in what a file holds, bare or under ``state_dict``, without the ``module.`` of a parallel wrapper.

    Returns:
        dict | None: Names to values as they are; None where the file holds no dict of them.
    """
    weights = content.get('state_dict', content) if isinstance(content, dict) else None
    if not isinstance(weights, dict):
        return None
    return {name.removeprefix('module.') if isinstance(name, str) else name: value for name, value in weights.items()}


def with_state_dict(load):
    """mmengine's ``_load_checkpoint``, whose result always has ``state_dict``, without ``module.`` before the names."""

    @functools.wraps(load)
    def wrapper(*args, **kwargs):
        content = load(*args, **kwargs)
        state_dict = state_dict_of(content)
        if state_dict is None:
            return content
        return {**(content if 'state_dict' in content else {}), 'state_dict': state_dict}

    wrapper.gives_state_dict = True
    return wrapper


def apply_to_runner() -> None:
    """Let the runner's hooks get ``state_dict`` whatever the file holds."""
    import mmengine.runner.runner as runner

    if not hasattr(runner._load_checkpoint, 'gives_state_dict'):
        runner._load_checkpoint = with_state_dict(runner._load_checkpoint)
