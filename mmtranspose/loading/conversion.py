"""Convert weights that the authors of TransPose released to a checkpoint of MMPose."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mmtranspose.errors import InputError
from mmtranspose.files.output_paths import partial_file
from mmtranspose.loading.checkpoint import Checkpoint
from mmtranspose.loading.closest_model import closest_model, looks_like
from mmtranspose.loading.config import load_config
from mmtranspose.loading.download import cached_path, fetched, is_web
from mmtranspose.loading.init_model import init_model
from mmtranspose.loading.publishing import published_name, saved
from mmtranspose.loading.zoo import default_weights, is_model, weights_sha256
from mmtranspose.models.released_weights import MAPPING_VERSION
from mmtranspose.typing import PathLike, PoseEstimator
from mmtranspose.version import __version__


def sha256(path: PathLike) -> str:
    """Compute the SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        for block in iter(lambda: file.read(1 << 20), b''):
            digest.update(block)
    return digest.hexdigest()


def checkpoint_sha256(source: PathLike | None) -> str | None:
    """The SHA-256 of the file that weights were loaded from, fetched ones included.

    None without a source, and for mmengine's other schemes, as torchvision://.
    """
    if source is None:
        return None
    path = cached_path(str(source)) if is_web(str(source)) else Path(source).expanduser()
    return sha256(path) if path.is_file() else None


def released_file(source: PathLike) -> Path:
    """The file that a source of weights stands for: a file; a URL, or the name of a model of the zoo, is fetched.

    Raises:
        InputError: It cannot be fetched, or the model has no released weights.
    """
    text = str(source)
    if is_model(text):
        text = default_weights(text)
    return fetched(text, weights_sha256(text)) if is_web(text) else Path(text).expanduser()


def convert_official(source: PathLike, output_root: PathLike, config: PathLike | None = None) -> Path:
    """Write released weights as an MMPose checkpoint, named as MMPose names the checkpoints that it publishes.

    The checkpoint has ``state_dict`` in this package's names and ``meta``: ``cfg`` (the whole config as text, from
    which MMPose's inferencers build the model), ``config`` (its name), ``dataset_meta``, ``source`` (the file's name)
    and ``source_sha256``, ``mapping_version`` (of the table of names), ``mmtranspose_version``.

    Args:
        source (str | Path): A file of the authors' release, or a training checkpoint of their code; a URL of one; or
            the name of a model of the zoo that has released weights.
        output_root (str | Path): The folder to write to; made if missing.
        config (str | Path | None): The config, or a model's name or alias; None takes the model of the zoo that has
            exactly the parameters of the file.

    Returns:
        Path: ``CONFIG-HASH8_YYYYMMDD.pth`` in that folder: the first 8 digits of the new file's SHA-256 and today's
        date. The hash depends on nothing but the source, the config and the version of mmtranspose.

    Raises:
        InputError: The source cannot be fetched or read, does not have the names of the release, or does not match the
            config.
    """
    if config is None and is_model(source):
        config = source
    source = released_file(source)
    checkpoint = Checkpoint.read(source)
    if not checkpoint.is_released:
        raise InputError(f"{source} does not have the names of the authors' release; nothing to convert")
    cfg = load_config(config or _config_of(checkpoint))
    cfg.model.backbone.init_cfg = None
    model = init_model(cfg)
    checkpoint.require_match(model, advice='')
    name = Path(cfg.filename).stem
    meta = dict(
        cfg=cfg.pretty_text,
        config=name,
        dataset_meta=model.dataset_meta,
        source=source.name,
        source_sha256=sha256(source),
        mapping_version=MAPPING_VERSION,
        mmtranspose_version=__version__,
    )
    state_dict = {key: value.clone() for key, value in checkpoint.weights_for(model).items()}
    return _publish(dict(meta=meta, state_dict=state_dict), Path(output_root), name)


def _config_of(checkpoint: Checkpoint) -> str:
    found = closest_model(checkpoint.weights)
    if found is None or not found[1].exact:
        likeness = looks_like(checkpoint.weights)
        raise InputError(f'{checkpoint.path} fits no model of the zoo exactly. {likeness} Name a config: --config')
    return found[0]['Config']


def _publish(content: dict[str, Any], folder: Path, name: str) -> Path:
    data = saved(content)
    path = folder / published_name(name, data)
    with partial_file(path, data) as partial:
        partial.write_bytes(data)
    return path


@torch.no_grad()
def heatmaps_of(model: PoseEstimator, seed: int = 0) -> Tensor:
    """Compute the heatmaps (2, K, h, w) of a fixed input: standard normal noise at the config's input size."""
    width, height = model.cfg.model.head.decoder.input_size
    inputs = torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(seed))
    return model.head(model.extract_feat(inputs))


def conversion_error(source: PathLike, converted: PathLike, config: PathLike | None = None) -> float:
    """Measure the largest difference between the heatmaps of a released file and of the file it was converted to.

    Args:
        source (str | Path): As given to :func:`convert_official`.
        converted (str | Path): What it returned.
        config (str | Path | None): As given to it.
    """
    config = config or Checkpoint.read(converted).meta['config']
    before, after = (heatmaps_of(init_model(config, path)) for path in (released_file(source), converted))
    return float((before - after).abs().max())
