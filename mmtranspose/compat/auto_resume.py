"""``--resume`` that finds the newest checkpoint which can be read.

Fault: mmengine trusts the file ``last_checkpoint``; where that names a deleted or truncated checkpoint (killed at the
wrong moment), auto-resume stops with an error although older checkpoints lie beside it; where it is missing, training
starts from nothing.
Versions: mmengine <= 0.10.7.
Can go: when ``find_latest_checkpoint`` falls back to the newest readable checkpoint.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path

import torch
from mmengine.logging import print_log

CHECKPOINT_NAME = re.compile(r'(?:epoch|iter)_(\d+)\.pth')


def is_readable(checkpoint: Path) -> bool:
    """Whether ``checkpoint`` is a whole torch file (its index is read, not its tensors)."""
    try:
        torch.load(checkpoint, map_location='meta', mmap=True, weights_only=True)
    except Exception:  # noqa: BLE001  torch raises several types, by what is damaged
        return False
    return True


def find_latest_checkpoint(path: str) -> str | None:
    """The newest readable checkpoint of a work directory.

    Args:
        path (str): The work directory.

    Returns:
        str or None: What ``last_checkpoint`` names if that can be read, else the ``epoch_N.pth`` or ``iter_N.pth``
        with the greatest N that can; None (after a warning) if there is none.
    """
    folder = Path(path)
    pointer = folder / 'last_checkpoint'
    named = Path(pointer.read_text(errors='replace').strip()) if pointer.is_file() else None
    numbered = {file: CHECKPOINT_NAME.fullmatch(file.name) for file in folder.glob('*.pth')}
    candidates = sorted((file for file in numbered if numbered[file]), key=lambda f: int(numbered[f][1]), reverse=True)
    for candidate in ([named] if named and named.name else []) + candidates:
        if candidate.is_file() and is_readable(candidate):
            return str(candidate)
        print_log(f'{candidate} is missing or truncated; trying the one before it.', 'current', logging.WARNING)
    print_log(f'No checkpoint to resume from in {path}; starting from the beginning.', 'current', logging.WARNING)
    return None


def apply() -> None:
    """Let the runner's auto-resume use :func:`find_latest_checkpoint`."""
    import mmengine.runner.runner as runner

    runner.find_latest_checkpoint = find_latest_checkpoint
