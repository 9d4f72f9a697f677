"""Let ``--resume`` find the newest checkpoint that can be read.

Fault: mmengine trusts the file ``last_checkpoint``. If that names a deleted or truncated checkpoint (the process was
killed at the wrong moment), auto-resume stops with an error, although older checkpoints lie beside it. If the file is
missing, training starts from nothing.
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


def apply() -> None:
    """Make the runner's auto-resume use :func:`find_latest_checkpoint`."""
    import mmengine.runner.runner as runner

    runner.find_latest_checkpoint = find_latest_checkpoint


def find_latest_checkpoint(path: str) -> str | None:
    """Find the newest readable checkpoint of a work directory.

    Args:
        path (str): The work directory.

    Returns:
        str | None: The file that ``last_checkpoint`` names, if it can be read; otherwise the readable ``epoch_N.pth``
        or ``iter_N.pth`` with the greatest N; otherwise None, after a warning.
    """
    folder = Path(path)
    pointer = folder / 'last_checkpoint'
    named = Path(pointer.read_text(errors='replace').strip()) if pointer.is_file() else None
    for candidate in ([named] if named and named.name else []) + _newest_first(folder):
        if candidate.is_file() and is_readable(candidate):
            return str(candidate)
        print_log(f'{candidate} is missing or truncated; trying the one before it.', 'current', logging.WARNING)
    print_log(f'No checkpoint to resume from in {path}; starting from the beginning.', 'current', logging.WARNING)
    return None


def _newest_first(folder: Path) -> list[Path]:
    """The ``epoch_N.pth`` and ``iter_N.pth`` of a folder, the greatest N first."""
    matches = {file: CHECKPOINT_NAME.fullmatch(file.name) for file in folder.glob('*.pth')}
    numbers = {file: int(match[1]) for file, match in matches.items() if match}
    return sorted(numbers, key=lambda file: numbers[file], reverse=True)


def is_readable(checkpoint: Path) -> bool:
    """Whether a file is a complete checkpoint of torch. Its index is read, but not its tensors."""
    try:
        torch.load(checkpoint, map_location='meta', mmap=True, weights_only=True)
    except Exception:  # torch raises several types, depending on the damage
        return False
    return True
