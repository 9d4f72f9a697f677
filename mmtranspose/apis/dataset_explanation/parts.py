"""Measurements of each batch, kept on disk until all are there."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
from mmengine.dist import is_main_process
from mmengine.fileio import put

from mmtranspose.apis.config import read_json
from mmtranspose.apis.results import write_json
from mmtranspose.errors import InputError


class Parts:
    """One ``.npz`` a batch below a folder, with what they were made by; a run that was stopped goes on from them.

    Args:
        root (Path): The folder.
        made_by (dict): Everything that the measurements depend on.

    Raises:
        InputError: The folder holds measurements of something else.
    """

    def __init__(self, root: Path, made_by: dict):
        self.root = root
        note, made_by = root / 'made_by.json', json.loads(json.dumps(made_by))
        if note.exists():
            found = read_json(note, 'note')
            differing = [key for key in {*made_by, *found} if found.get(key) != made_by.get(key)]
            if differing:
                key = sorted(differing)[0]
                raise InputError(
                    f'{root} holds measurements with {key}={found.get(key)!r}, now {made_by.get(key)!r}: give another '
                    '--output-root, or delete that folder'
                )
        elif is_main_process():
            write_json(note, made_by)

    def path(self, number: int) -> Path:
        """Of a batch's file."""
        return self.root / f'{number:06d}.npz'

    def has(self, number: int) -> bool:
        """Whether a batch was measured before."""
        return self.path(number).is_file()

    def write(self, number: int, arrays: dict[str, np.ndarray]) -> None:
        """Keep a batch's arrays."""
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)
        put(buffer.getvalue(), str(self.path(number)))

    def read(self, count: int) -> dict[str, np.ndarray]:
        """The arrays of batches 0 to ``count`` - 1, joined along their first axis; each name where it is there."""
        parts = []
        for number in range(count):
            with np.load(self.path(number)) as file:
                parts.append(dict(file))
        names = dict.fromkeys(name for part in parts for name in part)
        return {name: np.concatenate([part[name] for part in parts if name in part]) for name in names}
