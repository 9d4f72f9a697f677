"""Load checkpoints without running code that they contain.

Fault: mmengine's ``CheckpointLoader`` does not set ``weights_only``. A URL is read by
``torch.utils.model_zoo.load_url``, whose default is False, so a checkpoint from the network runs the code that it
contains. So does a local file if torch is older than 2.6 or ``TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD`` is set.
Versions: mmengine <= 0.10.7, torch <= 2.11.
Can go: when mmengine loads files and URLs with ``weights_only=True``.
"""

from __future__ import annotations

import functools
import os

import torch

# Before torch 2.6, weights_only=True itself could be made to run code (CVE-2025-32434)
RUNS_NO_CODE = tuple(int(number) for number in torch.__version__.split('.')[:2]) >= (2, 6)


def apply() -> None:
    """Make ``CheckpointLoader`` load files and URLs with ``weights_only=True``."""
    import mmengine.runner.checkpoint as checkpoint

    checkpoint.CheckpointLoader.register_scheme('', load_local, force=True)
    if not isinstance(checkpoint.load_url, functools.partial):
        checkpoint.load_url = functools.partial(checkpoint.load_url, weights_only=True)


def load_local(filename: str, map_location: str | torch.device | None = None) -> object:
    """Load the content of a file with ``weights_only=True``.

    Raises:
        FileNotFoundError: There is no such file.
    """
    return torch.load(os.path.expanduser(filename), map_location=map_location, weights_only=True)
