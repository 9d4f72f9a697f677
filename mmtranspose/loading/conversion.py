"""From a file of the authors' release to an MMPose checkpoint."""

from __future__ import annotations

import datetime
import hashlib
import os
from pathlib import Path

import torch
from torch import Tensor, nn

from mmtranspose.errors import InputError
from mmtranspose.loading.checkpoint import read_checkpoint, require_match, weights_of
from mmtranspose.loading.closest_model import closest_model, looks_like
from mmtranspose.loading.config import load_config
from mmtranspose.loading.init_model import init_model
from mmtranspose.models.released_weights import MAPPING_VERSION, adopt, is_released
from mmtranspose.version import __version__


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        for block in iter(lambda: file.read(1 << 20), b''):
            digest.update(block)
    return digest.hexdigest()


def convert_official(source: str, output_root: str, config: str | None = None) -> Path:
    """Write a released file as an MMPose checkpoint, under a published name.

    The checkpoint has ``state_dict`` in our names and ``meta``: ``cfg`` (the whole config as text, from which MMPose's
    inferencers build the model), ``config`` (its name), ``dataset_meta``, ``source`` and ``source_sha256``,
    ``mapping_version`` (of the names), ``mmtranspose_version``.

    Args:
        source (str): A bare state dict of the release, or a training checkpoint of the authors' code.
        output_root (str): The folder; made if missing.
        config (str | None): The config, or a model's name or alias; None: the model of the zoo that has exactly the
            file's parameters.

    Returns:
        Path: ``CONFIG-HASH8_YYYYMMDD.pth`` in that folder: the first 8 digits of the file's SHA-256, today's date, as
        MMPose names what it publishes. The hash depends on the source, the config and mmtranspose's version alone.

    Raises:
        InputError: The source cannot be read, is not in the release's names, or does not match the config.
    """
    if '://' in source:
        raise InputError(f'{source}: download the file first; a conversion starts from a file')
    source = str(Path(source).expanduser())
    weights = weights_of(content := read_checkpoint(source), source)
    if not is_released(weights):
        raise InputError(f"{source} does not have the names of the authors' release; nothing to convert")
    path = config or _config_of(weights, source)
    cfg = load_config(path)
    cfg.model.backbone.init_cfg = None
    model = init_model(cfg)
    require_match(model, content, source, advice='')
    name = Path(cfg.filename).stem
    meta = dict(
        cfg=cfg.pretty_text,
        config=name,
        dataset_meta=model.dataset_meta,
        source=Path(source).name,
        source_sha256=sha256(Path(source)),
        mapping_version=MAPPING_VERSION,
        mmtranspose_version=__version__,
    )
    state_dict = {name: value.clone() for name, value in adopt(weights, model).items()}
    return _publish(dict(meta=meta, state_dict=state_dict), Path(output_root), name)


def _config_of(weights: dict[str, Tensor], source: str) -> str:
    found = closest_model(weights)
    if found is None or not found[1].complete:
        raise InputError(f'{source} is exactly no model of the zoo. {looks_like(weights)} Name a config: --config')
    return found[0]['Config']


def _publish(checkpoint: dict, folder: Path, name: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f'{name}.{os.getpid()}.partial'
    try:
        with open(partial, 'wb') as file:  # torch would write a path's name into the file, and change its hash
            torch.save(checkpoint, file)
        final = folder / f'{name}-{sha256(partial)[:8]}_{datetime.date.today():%Y%m%d}.pth'
        os.replace(partial, final)
    finally:
        partial.unlink(missing_ok=True)
    return final


@torch.no_grad()
def heatmaps_of(model: nn.Module, seed: int = 0) -> Tensor:
    """Heatmaps (2, K, h, w) of a fixed input: standard normal, at the config's input size."""
    width, height = model.cfg.model.head.decoder.input_size
    inputs = torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(seed))
    return model.head(model.extract_feat(inputs))


def conversion_error(source: str, converted: str, config: str | None = None) -> float:
    """The largest difference between the heatmaps of a released file and of what it was converted to.

    Args:
        source (str): As given to :func:`convert_official`.
        converted (str): What it returned.
        config (str | None): As given to it.
    """
    config = config or read_checkpoint(converted)['meta']['config']
    before, after = (heatmaps_of(init_model(config, str(path))) for path in (source, converted))
    return float((before - after).abs().max())
