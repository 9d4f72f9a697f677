"""Load checkpoints without running code that they contain, and only as they were written.

Fault: mmengine's ``CheckpointLoader`` does not set ``weights_only``. A URL is read by
``torch.utils.model_zoo.load_url``, whose default is False, so a checkpoint from the network runs the code that it
contains. So does a local file if torch is older than 2.6 or ``TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD`` is set. Besides,
``torch.load`` does not look at the check sums that a file carries: flipped bits and zeroed blocks are loaded.
Versions: mmengine <= 0.10.7, torch <= 2.11.
Can go: when mmengine loads files and URLs with ``weights_only=True``, and torch verifies the check sums.
"""

from __future__ import annotations

import functools
import os
import pickletools
import zipfile
from pathlib import Path

import torch

# Before torch 2.6, weights_only=True itself could be made to run code (CVE-2025-32434)
RUNS_NO_CODE = tuple(int(number) for number in torch.__version__.split('.')[:2]) >= (2, 6)
ZIP = b'PK\x03\x04'
LEGACY = b'\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.'  # how torch.save began before 1.6: a magic number as a pickle
LEGACY_PICKLES = 5  # magic number, version, machine, content, names of the storages
BLOCK = 1 << 20
FOLDER = (
    0x10  # an attribute that DOS gives folders: of an entry with it torch reads nothing, and keeps what memory held
)


class DamagedFileError(Exception):
    """A file was written by ``torch.save`` but is no longer as it was written; the message says how it shows."""


def apply() -> None:
    """Make ``CheckpointLoader`` load files and URLs with ``weights_only=True``, and verify the check sums of files."""
    import mmengine.runner.checkpoint as checkpoint

    checkpoint.CheckpointLoader.register_scheme('', load_local, force=True)
    if not isinstance(checkpoint.load_url, functools.partial):
        checkpoint.load_url = functools.partial(checkpoint.load_url, weights_only=True)


def load_local(filename: str, map_location: str | torch.device | None = None) -> object:
    """Load the content of a file with ``weights_only=True``.

    Raises:
        FileNotFoundError: There is no such file.
        DamagedFileError: The file is not as it was written.
    """
    path = os.path.expanduser(filename)
    damage = damage_of(path)
    if damage is not None:
        raise DamagedFileError(f'checkpoint {filename} is damaged: {damage}')
    return torch.load(path, map_location=map_location, weights_only=True)


def damage_of(path: str | Path) -> str | None:
    """Say why a file cannot be as ``torch.save`` wrote it; None if nothing shows, or if the file is of another kind.

    Of a zip file all check sums are verified. Files of torch before 1.6 have none; of these the pickles are read to
    their end, but not the numbers of the tensors.
    """
    with open(path, 'rb') as file:
        start = file.read(len(LEGACY))
    if not start:
        return 'the file is empty'
    if not start.strip(b'\0'):
        return 'it begins with zeros'
    if start.startswith(ZIP):
        return _damage_of_zip(path)
    if len(start) < len(LEGACY) and (ZIP.startswith(start) or LEGACY.startswith(start)):
        return f'it is truncated after {len(start)} bytes'
    if start == LEGACY:
        return _damage_of_legacy(path)
    return 'its first bytes are not those of the zip file that the rest is' if zipfile.is_zipfile(path) else None


def _damage_of_zip(path: str | Path) -> str | None:
    try:
        archive = zipfile.ZipFile(path)
    except Exception:  # several types, depending on the damage
        return 'it is truncated, or the directory at its end is overwritten'
    with archive:
        entries = archive.infolist()
        folder = next((entry for entry in entries if entry.external_attr & FOLDER), None)
        if folder is not None:
            return f'its entry {folder.filename} is marked as a folder'
        if not any(entry.CRC for entry in entries):  # torch.serialization.set_crc32_options(False)
            return None
        damaged = next((entry for entry in entries if not _is_as_written(archive, entry)), None)
    return None if damaged is None else f'its entry {damaged.filename} is not as its check sum says'


def _is_as_written(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bool:
    try:
        with archive.open(entry) as file:
            while file.read(BLOCK):
                pass
    except Exception:  # several types, depending on the damage
        return False
    return True


def _damage_of_legacy(path: str | Path) -> str | None:
    try:
        with open(path, 'rb') as file:
            for _ in range(LEGACY_PICKLES):
                for _ in pickletools.genops(file):
                    pass
    except Exception:
        return 'it is truncated'
    return None
