"""mmdet's detectors, refused where config or checkpoint cannot be used."""

from __future__ import annotations

import warnings

from mmdet.apis import init_detector
from mmdet.models.detectors import BaseDetector
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner.checkpoint import _load_checkpoint_to_model
from torch import nn

from mmtranspose.apis.checkpoint import read_checkpoint, weights_of
from mmtranspose.apis.comparison import compare, shortlist
from mmtranspose.apis.config import load_config, require_model
from mmtranspose.apis.detection.classes import classes_of
from mmtranspose.apis.detection.names import find_detector
from mmtranspose.apis.device import require_device
from mmtranspose.compat import mmdet_warnings
from mmtranspose.errors import InputError


def load_detector(
    config: str, checkpoint: str | None = None, device: str = 'cpu', cfg_options: dict | None = None
) -> nn.Module:
    """A detector of mmdet in evaluation mode, with ``cfg`` and ``dataset_meta``; the default scope stays as it is.

    Args:
        config (str): See :func:`find_detector`.
        checkpoint (str | None): A file or URL; None takes the weights of mmdet's zoo.
        device (str): ``'cpu'``, ``'cuda:0'``, ...
        cfg_options (dict | None): Options merged into the config.

    Raises:
        InputError: The config cannot be read, is no detector's, or has no test data; the checkpoint cannot be read or
            does not match the detector; the device is not there.
    """
    mmdet_warnings.apply()
    require_device(device)
    path, weights = find_detector(str(config))
    cfg = load_config(path, cfg_options)
    require_model(cfg)
    if not (cfg.get('test_dataloader') or {}).get('dataset'):
        raise InputError(f'detector config {config} has no test_dataloader, whose pipeline prepares the pictures')
    checkpoint = checkpoint or weights
    if checkpoint is None:
        raise InputError(f"detector {config} needs a checkpoint (--det-checkpoint): it is none of mmdet's model zoo")
    content = read_checkpoint(checkpoint)
    model = _build(cfg, str(config))
    _require_match(model, content, checkpoint)
    _load_checkpoint_to_model(model, content)
    with DefaultScope.overwrite_default_scope('mmdet'):
        model.dataset_meta = dict(classes=classes_of(content, cfg))
    return model.to(device)


def _build(cfg: Config, name: str) -> nn.Module:
    try:
        # record: mmdet warns of classes and weights, which follow; palette: else it builds the data set for its colours
        with DefaultScope.overwrite_default_scope('mmdet'), warnings.catch_warnings(record=True):
            model = init_detector(cfg, None, palette='coco', device='cpu')
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f'detector {name} cannot be built: {error}') from error
    if not isinstance(model, BaseDetector):
        raise InputError(f'{name} is the config of a {type(model).__name__}, not of a detector of mmdet')
    return model


def _require_match(model: nn.Module, content: dict, filename: str) -> None:
    """Refuse weights that leave a part of the detector as initialised; mmdet's own files may hold more than it has."""
    found = compare(model, weights_of(content, filename))
    if not found.kept:
        raise InputError(
            f'checkpoint {filename} shares no parameter with the detector: it has {shortlist(found.unknown[:3])}, ... '
            f'and the detector {shortlist(found.missing[:3])}, ...'
        )
    if found.missing or found.reshaped:
        raise InputError(
            f'checkpoint {filename} does not match the detector of this config. Differences: {found.differences()}.'
        )
