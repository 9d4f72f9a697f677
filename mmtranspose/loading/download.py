"""Fetch files of weights into the folder where torch caches them: whole and as published, or not at all."""

from __future__ import annotations

import hashlib
import os
import re
import threading
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path
from typing import IO, Any
from urllib.error import URLError
from urllib.parse import unquote, urlparse
from urllib.request import Request, urlopen

import torch
from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.logging import print_log
from tqdm import tqdm

from mmtranspose.compat.checkpoint_files import ZIP, DamagedFileError, damage_of
from mmtranspose.compat.safetensors_files import load_safetensors
from mmtranspose.errors import InputError, reason
from mmtranspose.files.output_paths import partial_file, remove_abandoned_partials
from mmtranspose_cli.terminal import printable

TIMEOUT = 60.0  # seconds without an answer, or without a byte of it
BLOCK = 1 << 18
PICKLE = b'\x80'  # how torch.save began before 1.6
WEB_PAGES = (b'<!doctype', b'<html', b'<?xml')
# name-HASH8.pth as torchvision and MMDetection name their files, name-HASH8_YYYYMMDD.pth as MMPose does
HASH_IN_NAME = re.compile(r'-([0-9a-f]{8})(?:_\d{8})?\.\w+$')
DATE = re.compile(r'(?:19|20)\d{6}')
ONE_AT_A_TIME = threading.Lock()  # in this process, whose partial files have one name


class _FetchError(Exception):
    """Why a file could not be fetched; ends a sentence that names it."""


class NotFetched(InputError):
    """A file cannot be downloaded.

    Args:
        what (str): Which file, and why.
        *cures (str): What to do instead.
    """

    def __init__(self, what: str, *cures: str):
        super().__init__(what, *cures)

    def __str__(self) -> str:
        return '; '.join(self.args)


def is_web(path: str) -> bool:
    """Whether a path is a URL that :func:`fetched` takes."""
    return path.lower().startswith(('http://', 'https://'))


def cached_path(url: str) -> Path:
    """The file that a URL is kept in: where torch keeps it, so that mmengine finds it, too.

    Raises:
        InputError: The URL names no file.
    """
    name = os.path.basename(urlparse(url).path)
    if not name.strip('.') or '\0' in unquote(name):
        raise InputError(f'checkpoint {url} names no file; give the URL of a .pth or .safetensors file')
    return Path(torch.hub.get_dir()) / 'checkpoints' / name


def fetched(url: str, sha256: str | None = None) -> Path:
    """Find the local copy of a file of weights, and fetch the file if there is none.

    What arrives is compared with the length that the server names, with ``sha256`` or the first digits of the SHA-256
    that the file's name ends in, and with the check sums in the file; only then it gets its name. In a run of several
    processes rank 0 fetches it; a process of another machine that does not see the file then fetches it, too.

    torch's own ``download_url_to_file`` (2.11) takes what arrived before a connection broke for the whole file, and
    waits forever for a server that falls silent.

    Args:
        url (str): ``http://`` or ``https://``.
        sha256 (str | None): SHA-256 of the file, in hexadecimal.

    Returns:
        Path: The file, below ``torch.hub.get_dir()``.

    Raises:
        NotFetched: The file cannot be fetched, or is not the published one; the message says where to put it by hand.
        InputError: It cannot be written, or a file of the same name was fetched from elsewhere.
    """
    path = cached_path(url)
    told: list[InputError | None] = [None]
    with ONE_AT_A_TIME:
        if is_main_process():
            told = [_problem(url, path, sha256)]
        broadcast_object_list(told)
        problem = told[0] or (None if path.is_file() else _problem(url, path, sha256))
    if problem:
        raise problem
    return path


def _problem(url: str, path: Path, sha256: str | None) -> InputError | None:
    """See to it that the file is there; returns the error if it cannot be."""
    expected = sha256 or hash_in_name(path.name)
    note = path.with_name(f'{path.name}.url')  # where a file came from whose name is not its hash
    try:
        if path.is_file():
            origin = note.read_text(encoding='utf-8').strip() if note.is_file() and expected is None else url
            if origin != url:
                return InputError(
                    f'checkpoint {url}: {path} has the same name and came from {origin}; move it away, and {note}'
                )
            print_log(printable(f'{url}: taken from {path}'), 'current')
            return None
        _fetch(url, path, expected, note if expected is None else None)
    except _FetchError as error:
        return NotFetched(f'checkpoint {url} cannot be downloaded: {error}', f'you can put the file at {path} by hand')
    except OSError as error:
        return InputError(
            f'checkpoint {url} cannot be kept at {path} ({_words(error)}): make room or give permission there, or set '
            'TORCH_HOME to another folder'
        )
    print_log(printable(f'fetched {url} to {path} ({path.stat().st_size / 1e6:.1f} MB)'), 'current')
    return None


def hash_in_name(name: str) -> str | None:
    """The first 8 digits of a file's SHA-256, if its name ends in them; a date is no hash."""
    found = HASH_IN_NAME.search(name)
    return None if found is None or DATE.fullmatch(found[1]) else found[1]


def _fetch(url: str, path: Path, expected: str | None, note: Path | None) -> None:
    with _answer(url) as answer:
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_abandoned_partials(path.parent)
        with partial_file(path) as partial:
            digest = _receive(answer, partial, path.name)
            if expected is not None and not digest.startswith(expected.lower()):
                raise _FetchError(f'what arrived has the SHA-256 {digest[: len(expected)]}..., not {expected}')
            _require_weights(partial, path.name)
            if note is not None:
                note.write_text(f'{url}\n', encoding='utf-8')


def _answer(url: str) -> Any:
    """Ask for a file; returns the server's answer, before the file is read."""
    try:
        return urlopen(Request(url, headers={'User-Agent': 'mmtranspose'}), timeout=TIMEOUT)
    except URLError as error:  # HTTPError is one
        raise _FetchError(_words(error.reason if isinstance(error.reason, OSError) else error)) from error
    except (OSError, HTTPException, ValueError) as error:
        raise _FetchError(_words(error)) from error


def _words(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or reason(error)


def _receive(answer: Any, partial: Path, name: str) -> str:
    """Write an answer to a file and to disk, beside a progress bar; returns the SHA-256 of what was written."""
    length = answer.headers.get('Content-Length', '')
    total = int(length) if length.isdecimal() else None
    digest, received = hashlib.sha256(), 0
    with open(partial, 'wb') as file, tqdm(total=total, desc=name, unit='B', unit_scale=True, unit_divisor=1000) as bar:
        for block in _blocks(answer):
            file.write(block)
            digest.update(block)
            received += len(block)
            bar.update(len(block))
        file.flush()
        os.fsync(file.fileno())
    if total is not None and received != total:
        raise _FetchError(f'{received:,} of {total:,} bytes arrived: try again')
    return digest.hexdigest()


def _blocks(answer: IO[bytes]) -> Iterator[bytes]:
    try:
        while block := answer.read(BLOCK):
            yield block
    except (OSError, HTTPException) as error:
        raise _FetchError(f'the connection broke ({_words(error)}): try again') from error


def _require_weights(partial: Path, name: str) -> None:
    """Check that a file which has arrived is a whole file of weights, whatever it holds."""
    with open(partial, 'rb') as file:
        start = file.read(64)
    if start.lstrip().lower().startswith(WEB_PAGES):
        raise _FetchError('the server sent a web page, not weights')
    try:
        if name.lower().endswith('.safetensors'):
            load_safetensors(str(partial))
            return
        damage = damage_of(partial)
    except (DamagedFileError, ImportError) as error:
        raise _FetchError(f'what arrived cannot be read ({error})'.replace(str(partial), name)) from error
    if damage is not None:
        raise _FetchError(f'what arrived is damaged: {damage}')
    if not start.startswith((ZIP, PICKLE)):
        raise _FetchError(f'the server sent no weights; what it sent begins with {start[:16]!r}')
