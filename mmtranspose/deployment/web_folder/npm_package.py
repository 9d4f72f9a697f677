"""onnxruntime-web, which runs ONNX files in browsers: fetched with the npm client, or taken from a folder."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmtranspose.errors import InputError

PACKAGE = 'onnxruntime-web'
VERSION = '1.30.0'
SHA512 = 'q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=='  # in base64
# For browsers without WebGPU and with it: a script, and the compiled program that it loads.
SCRIPTS = {'wasm': 'ort.wasm.bundle.min.mjs', 'webgpu': 'ort.webgpu.bundle.min.mjs'}
BINARIES = {'wasm': 'ort-wasm-simd-threaded.wasm', 'webgpu': 'ort-wasm-simd-threaded.asyncify.wasm'}
PATIENCE = 900  # seconds: the package has 33 MB
CURE = f'or take a copy of the package: --runtime DIR (`npm pack {PACKAGE}@{VERSION}` on a machine with a network)'


@contextmanager
def runtime_package(given: Path | None) -> Iterator[dict[str, Path]]:
    """The files of onnxruntime-web that a page needs, by the names that they get; they may vanish afterwards.

    Args:
        given (Path | None): Folder of the package, or its folder ``dist``; None fetches :data:`VERSION` with npm, which
            keeps a copy for the next time.

    Raises:
        InputError: The folder lacks a file; or npm is not there, cannot fetch the package, or has got another one than
            this version of mmtranspose was tried with.
    """
    if given is not None:
        yield _files(given)
        return
    with tempfile.TemporaryDirectory(prefix='mmtranspose-web-') as folder:
        yield _files(fetched(Path(folder)))


def fetched(folder: Path, *options: str) -> Path:
    """Fetch the package with npm into a folder; ``options`` are npm's. Returns the package's own folder in it."""
    npm = shutil.which('npm')
    if npm is None:
        raise InputError(
            f'npm is not installed, which fetches {PACKAGE} {VERSION} for the page: install Node.js, {CURE}'
        )
    command = [npm, 'pack', f'{PACKAGE}@{VERSION}', '--pack-destination', str(folder), '--prefer-offline', *options]
    try:
        done = subprocess.run(
            [*command, '--ignore-scripts', '--fetch-retries=1'],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        why = _reason(done.stderr) if done.returncode else ''
    except subprocess.TimeoutExpired:
        why = f'it was not there after {PATIENCE} seconds'
    if why:
        raise InputError(f'npm could not fetch {PACKAGE} {VERSION} ({why}): try again with a network, {CURE}')
    (archive,) = folder.glob('*.tgz')
    if base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode() != SHA512:
        raise InputError(
            f'npm fetched another {PACKAGE} {VERSION} than is known: its SHA-512 differs; ask who runs the registry'
        )
    return _unpacked(archive, folder)


def _unpacked(archive: Path, folder: Path) -> Path:
    wanted = {f'package/{name}' for name in ('package.json', *(f'dist/{one}' for one in _names()))}
    with tarfile.open(archive) as packed:
        for member in packed:
            content = packed.extractfile(member) if member.name in wanted else None
            if content is not None:
                path = folder / member.name
                path.parent.mkdir(parents=True, exist_ok=True)
                with content, open(path, 'wb') as file:
                    shutil.copyfileobj(content, file)
    return folder / 'package'


def _files(package: Path) -> dict[str, Path]:
    root = package.parent if package.name == 'dist' else package
    files = {'package.json': root / 'package.json', **{name: root / 'dist' / name for name in _names()}}
    missing = [str(path) for path in files.values() if not path.is_file()]
    if missing:
        raise InputError(
            f'--runtime {package} is not a copy of {PACKAGE} {VERSION}: {", ".join(missing)} missing; leave '
            'the option out to fetch it with npm'
        )
    try:
        name = json.loads(files['package.json'].read_text(encoding='utf-8'))['name']
    except (ValueError, TypeError, LookupError):
        name = None
    if name != PACKAGE:
        raise InputError(f'--runtime {package}: its package.json is not that of {PACKAGE}')
    return files


def _names() -> list[str]:
    return [*SCRIPTS.values(), *BINARIES.values()]


def _reason(output: str) -> str:
    """What npm says went wrong, in one line."""
    lines = [line.partition('npm error ')[2] for line in output.splitlines() if line.startswith('npm error ')]
    told = [line for line in lines if not line.startswith(('A complete log', 'code ', 'errno ', 'syscall '))]
    return (told or lines or ['it gave no reason'])[0]
