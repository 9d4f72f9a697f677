"""Write a trained checkpoint as a file to share: weights, config and dataset, and nothing of the run or the machine."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import io
import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mmtranspose.errors import InputError, require_choice
from mmtranspose.files.output_paths import partial_file
from mmtranspose.loading.checkpoint import DIGEST, Checkpoint
from mmtranspose.loading.download import is_web
from mmtranspose.loading.neutral_config import is_absolute, neutral_config, shortened
from mmtranspose.loading.safetensors_meta import header
from mmtranspose.loading.weights_comparison import weights_digest
from mmtranspose.typing import PathLike
from mmtranspose.version import __version__
from mmtranspose_cli.optional_packages import pip_install

SUFFIXES = ('.pth', '.safetensors')
KEPT = (  # of what a checkpoint says of its weights; names of files, hosts and times stay behind
    *('dataset_meta', 'CLASSES', 'PALETTE', 'epoch', 'iter', 'seed', 'mmengine_version', 'config', 'source'),
    *('source_sha256', 'mapping_version'),
)
PUBLISHED = re.compile(r'-[0-9a-f]{8}(_\d{8})?$')
TIME = re.compile(r'_\d{8}_\d{6}$')  # the end of the name that mmengine gives to a run


def publish(
    source: PathLike, output: PathLike | None = None, half: bool | None = None, suffix: str | None = None
) -> Path:
    """Write a checkpoint without optimiser, schedules, logs, and paths of the machine.

    What the source says of them is kept: the config (as MMPose's inferencers and :func:`neutral_config` take it), the
    dataset's metainfo, steps and epochs. The same source gives the same file. In a checkpoint of a run with ``EMAHook``
    the weights are the moving averages, as mmengine saves them. Loading turns half precision into single precision
    again. ``.safetensors`` needs no pickle and holds the same; MMPose's own functions read its weights alone.

    Args:
        source (str | Path): The checkpoint, a file or URL.
        output (str | Path | None): A file to write (``*.pth``, ``*.safetensors``); or a folder, None for that of the
            source, where the file gets the name of MMPose's published files, ``NAME-HASH8_YYYYMMDD``: the run's or
            checkpoint's name, the first 8 digits of the file's SHA-256, and today's date.
        half (bool | None): Write floating-point numbers in 16 bits; None: in ``.safetensors`` alone.
        suffix (str | None): ``'.pth'`` or ``'.safetensors'``; None: that of the output, ``'.pth'`` in a folder.

    Returns:
        Path: The file.

    Raises:
        InputError: The source cannot be read or is not finite; a number is too large for 16 bits; the output has
            another ending or is the source; safetensors is not installed.
    """
    folder, name = _place(source, output)
    suffix = suffix or (Path(name).suffix if name else SUFFIXES[0])
    require_choice('suffix', suffix, SUFFIXES)
    if name and Path(name).suffix != suffix:
        raise InputError(f'{output}: the file must end in {suffix}')
    checkpoint = Checkpoint.read(source)
    checkpoint.require_as_written()
    half = suffix == '.safetensors' if half is None else half
    weights = {key: _stored(key, checkpoint.weights[key], half) for key in _order(checkpoint.weights, suffix)}
    meta = {**published_meta(checkpoint.meta), DIGEST: weights_digest(weights)}
    data = _file(weights, meta, suffix)
    path = folder / (name or published_name(_name(checkpoint), data, suffix))
    if not is_web(str(source)) and path.exists() and path.samefile(Path(source).expanduser()):
        raise InputError(f'{path} is the checkpoint itself; choose another name')
    with partial_file(path, data) as partial:
        partial.write_bytes(data)
    return path


def published_name(name: str, data: bytes, suffix: str = '.pth') -> str:
    """The name of a published file, ``NAME-HASH8_YYYYMMDD`` and the ending, as by MMPose's ``publish_model.py``."""
    return f'{name}-{hashlib.sha256(data).hexdigest()[:8]}_{datetime.date.today():%Y%m%d}{suffix}'


def saved(content: dict[str, Any]) -> bytes:
    """What ``torch.save`` writes to a file of no name: to a path, it would write the name, too."""
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def published_meta(meta: dict[str, Any]) -> dict[str, Any]:
    """What a published file says of its weights. A config that cannot be parsed is left out."""
    kept = {name: _without_folders(meta[name]) for name in KEPT if name in meta}
    old = kept.pop('config') if '\n' in str(kept.get('config', '')) else None  # mmcv 1 has the text under this name
    text = meta.get('cfg', old)
    if isinstance(text, str):
        with contextlib.suppress(SyntaxError, ValueError):
            kept['cfg'] = neutral_config(text)
    return {**kept, 'mmtranspose_version': __version__}


def _without_folders(value: Any) -> Any:
    """A value whose paths from the root of a disk are cut to their last part."""
    if isinstance(value, dict):
        return {key: _without_folders(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_without_folders(one) for one in value)
    return shortened(value, []) if isinstance(value, str) and '\n' not in value and is_absolute(value) else value


def _place(source: PathLike, output: PathLike | None) -> tuple[Path, str | None]:
    """The folder to write to, and the name of the file if it is given."""
    if output is None:
        return Path() if is_web(str(source)) else Path(source).expanduser().parent, None
    path = Path(output).expanduser()
    if path.is_dir() or not path.suffix or str(output).endswith('/'):
        return path, None
    if path.suffix not in SUFFIXES:
        raise InputError(f'{output}: the file must end in {" or ".join(SUFFIXES)}; a folder has no ending')
    return path.parent, path.name


def _name(checkpoint: Checkpoint) -> str:
    """The name of the run, which is its config's unless another was given; failing that, the checkpoint's."""
    run = checkpoint.meta.get('config') or checkpoint.meta.get('experiment_name')
    if isinstance(run, str) and re.fullmatch(r'[\w.+-]+', run):
        return TIME.sub('', run)
    return PUBLISHED.sub('', Path(checkpoint.path).stem)


def _order(weights: dict[str, Tensor], suffix: str) -> list[str]:
    """``.safetensors`` keeps no order: its digest is that of the alphabetical one."""
    return sorted(weights) if suffix == '.safetensors' else list(weights)


def _file(weights: dict[str, Tensor], meta: dict[str, Any], suffix: str) -> bytes:
    if suffix == '.pth':
        return saved(dict(meta=meta, state_dict=weights))
    try:
        from safetensors.torch import save
    except ImportError as error:
        raise InputError(f'.safetensors needs the package safetensors: {pip_install("safetensors")}') from error
    return save(weights, header(meta))


def _stored(name: str, value: Tensor, half: bool) -> Tensor:
    value = value.detach().clone(memory_format=torch.contiguous_format)
    if not half or not value.is_floating_point():
        return value
    smaller = value.half()
    if not smaller.isfinite().all():
        raise InputError(f'{name} has numbers up to {value.abs().max():.3g}, too large for 16 bits; use --full')
    return smaller
