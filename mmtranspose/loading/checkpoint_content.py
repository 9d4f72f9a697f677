"""Read what a checkpoint file holds, and say why one cannot be read: damaged, refused, unknown or no checkpoint."""

from __future__ import annotations

import pickle
import re
import sys
from pathlib import Path
from typing import Any

import cv2
import torch
from mmengine.runner.checkpoint import CheckpointLoader

from mmtranspose.compat import checkpoint_files
from mmtranspose.compat.checkpoint_files import LEGACY, ZIP, DamagedFileError, load_local
from mmtranspose.errors import InputError, reason
from mmtranspose.loading.download import WEB_PAGES, NotFetched, fetched, is_web
from mmtranspose.loading.safetensors_meta import read_safetensors
from mmtranspose.loading.zoo import bundled_models, models, weights_sha256

# Modules of Python that hold data types. All others of Python's own can run code, or reach what does.
DATA_MODULES = {
    *('array', 'collections', 'dataclasses', 'datetime', 'decimal', 'enum', 'fractions', 'ipaddress', 'random', 'uuid'),
    *('pathlib', 'zoneinfo'),
}


def read_content(path: str) -> Any:
    """Read what a checkpoint file or URL holds, onto the CPU; nothing in it can run code.

    Args:
        path (str): A file; a URL, whose file :func:`~mmtranspose.loading.download.fetched` keeps; or a path of another
            scheme of mmengine's, as ``torchvision://``.

    Raises:
        InputError: It cannot be fetched or read; the message names it and says why.
    """
    if not checkpoint_files.RUNS_NO_CODE:
        raise InputError(
            f'checkpoint {path} is not loaded: torch {torch.__version__} would run the code that a file brings; '
            'install torch 2.6 or newer'
        )
    if not is_web(path):
        return _read(path)
    try:
        file = str(fetched(path, weights_sha256(path)))
    except NotFetched as error:
        if path in (model['Weights'] for model in models()):
            error.args = (
                *error.args,
                f'{" or ".join(bundled_models())} works without a network: it comes with the package',
            )
        raise
    try:
        return _read(file)
    except InputError as error:
        raise InputError(f'{error}; it came from {path}: delete it to have it fetched again') from error


def _read(path: str) -> Any:
    by_scheme = '://' in path
    if not by_scheme:
        _require_file(Path(path).expanduser())
    try:
        if by_scheme:
            return CheckpointLoader.load_checkpoint(path, map_location='cpu')
        load = read_safetensors if path.lower().endswith('.safetensors') else load_local
        return load(path, map_location='cpu')
    except InputError:
        raise
    except DamagedFileError as error:
        raise InputError(str(error)) from error
    except pickle.UnpicklingError as error:
        raise InputError(_why_not_unpickled(path, error)) from error
    except ImportError as error:
        raise InputError(f'checkpoint {error}') from error
    except Exception as error:
        if by_scheme and isinstance(error, OSError):
            raise InputError(f'checkpoint {path} cannot be downloaded: {reason(error)}') from error
        why = _unread(path) if not _is_whole_zip(path) else f'checkpoint {path} cannot be read'
        raise InputError(f'{why}{_because(str(error))}') from error


def _require_file(path: Path) -> None:
    if not path.is_file():
        raise InputError(f'checkpoint {path} does not exist')
    with open(path, 'rb') as file:
        start = file.read(64)
    if start.lstrip().lower().startswith(WEB_PAGES):
        raise InputError(f'checkpoint {path} cannot be read: it is a web page, not weights; download it again')


def _is_whole_zip(path: str) -> bool:
    """Whether a file has been compared with its check sums."""
    if '://' in path:
        return False
    with open(Path(path).expanduser(), 'rb') as file:
        return file.read(len(ZIP)) == ZIP


def _why_not_unpickled(path: str, error: pickle.UnpicklingError) -> str:
    """Why a file that shows no damage was not unpickled."""
    names = _unknown_names(path, str(error))
    dangerous = [name for name in names if runs_code(name)]
    if dangerous:
        return f'checkpoint {path} is refused: besides weights it holds {", ".join(dangerous)}, which could run code'
    if names:
        module = names[0].rpartition('.')[0]
        return (
            f'checkpoint {path} holds an object of the class {", ".join(names)}, which this program does not know; if '
            f'you trust the file, import {module} and call torch.serialization.add_safe_globals([{", ".join(names)}]) '
            "before it is read, as in a module that the config's custom_imports names"
        )
    if _starts_as_other_pickle(path):
        return f'checkpoint {path} is refused: it is a plain pickle, which could run code, and not a file of torch.save'
    if not _is_whole_zip(path):
        return _unread(path) + _because(_last_words(error))
    return (
        f'checkpoint {path} is refused: only weights and plain data are read from a file{_because(_last_words(error))}'
    )


def _unread(path: str) -> str:
    """That a file, which is no whole zip file, is no checkpoint that can be read."""
    if '://' not in path and cv2.haveImageReader(str(Path(path).expanduser())):
        return f'checkpoint {path} is an image; name a file of weights there'
    return f'checkpoint {path} is damaged or no checkpoint'


def _unknown_names(path: str, message: str) -> list[str]:
    """The classes and functions that a file asks for and that are not known to be harmless."""
    try:
        return sorted(torch.serialization.get_unsafe_globals_in_checkpoint(str(Path(path).expanduser())))
    except Exception:  # no zip file, a URL, another protocol of pickle: the first name that torch stumbled on
        found = re.search(r'GLOBAL ([\w.]+)', message)
        return [] if found is None else [found[1] if '.' in found[1] else f'builtins.{found[1]}']


def runs_code(name: str) -> bool:
    """Whether what a pickle names, as ``'posix.system'``, may run code when it is called: all but known data types.

    Nothing is imported to find out. Of modules that are not loaded, names in upper case are taken for classes.
    """
    module, _, last = name.rpartition('.')
    if module.partition('.')[0] in sys.stdlib_module_names:
        return module.partition('.')[0] not in DATA_MODULES
    loaded = vars(sys.modules[module]).get(last) if module in sys.modules else None
    return not last.lstrip('_')[:1].isupper() if loaded is None else not isinstance(loaded, type)


def _starts_as_other_pickle(path: str) -> bool:
    if '://' in path:
        return False
    with open(Path(path).expanduser(), 'rb') as file:
        start = file.read(len(LEGACY))
    return start.startswith(b'\x80') and start != LEGACY


def _last_words(error: Exception) -> str:
    """What torch's unpickler said, without the advice that torch.load puts around it."""
    found = re.search(r'WeightsUnpickler error: (.*)', str(error))
    return found[1] if found else str(error)


def _because(words: str) -> str:
    """The first sentence of an error's message after a colon; nothing where it holds no words, as that of KeyError."""
    first = reason(Exception(words)) if re.search('[A-Za-z]{2}', words) else ''
    return f': {first}' if first else ''
