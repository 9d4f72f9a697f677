"""Top-down inference on one picture with given boxes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.runner.checkpoint import _load_checkpoint_to_model
from mmpose.apis import init_model as mmpose_init_model
from mmpose.structures import PoseDataSample
from torch import nn

from mmtranspose.apis.boxes import check_boxes
from mmtranspose.apis.checkpoint import meta_of, read_checkpoint, require_match
from mmtranspose.apis.config import load_config, require_model
from mmtranspose.apis.crops import CropMaker
from mmtranspose.apis.device import require_device
from mmtranspose.errors import InputError
from mmtranspose.media import read_image


def init_model(
    config: str | Path | Config,
    checkpoint: str | None = None,
    device: str = 'cpu',
    cfg_options: dict | None = None,
    allow_partial: bool = False,
) -> nn.Module:
    """MMPose's ``init_model`` that refuses a config or checkpoint it cannot use.

    Args:
        config (str | Path | Config): The config, its file, or a model's name or alias (``'transpose-r-a3'``).
        checkpoint (str | None): A file or URL; our own checkpoints and the authors' released ones, ``.pth`` or
            ``.safetensors``. None leaves the model as initialised.
        device (str): ``'cpu'``, ``'cuda:0'``, ...
        cfg_options (dict | None): Options merged into the config.
        allow_partial (bool): Take what fits of a checkpoint that does not match the model, and log what was kept.

    Returns:
        nn.Module: The pose estimator in evaluation mode, with ``cfg`` and ``dataset_meta``.

    Raises:
        InputError: The config cannot be read or names unknown modules or values; the checkpoint cannot be read or
            does not match the model; the device is not there.
    """
    require_device(device)
    content = None if checkpoint is None else read_checkpoint(checkpoint)
    cfg = config if isinstance(config, Config) else load_config(str(config), cfg_options)
    require_model(cfg)
    name = cfg.filename or 'config'
    try:
        model = mmpose_init_model(cfg, None, device='cpu', cfg_options=None)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f'{name}: the model cannot be built: {error}') from error
    if content is not None:
        require_match(model, content, checkpoint, allow_partial)
        _load_checkpoint_to_model(model, content)
        meta = meta_of(content).get('dataset_meta') or {}
        if meta.get('num_keypoints') == model.head.out_channels:  # else of what a part was taken from
            model.dataset_meta = meta
    return model.to(device)


@torch.no_grad()
def inference_topdown(
    model: nn.Module,
    image: np.ndarray | str,
    bboxes: np.ndarray | Sequence[Sequence[float]],
    batch_size: int = 32,
) -> list[PoseDataSample]:
    """Poses in given boxes of one picture, which is decoded once.

    Args:
        model (nn.Module): From :func:`init_model`.
        image (np.ndarray | str): (h, w, 3), BGR, uint8; or a file.
        bboxes (np.ndarray | Sequence): (N, 4) or (N, 5), xyxy in pixels and perhaps a score. None at all means no pose
            (MMPose's function of this name takes the whole picture instead).
        batch_size (int): Boxes that go through the network together.

    Returns:
        list[PoseDataSample]: One a box, in order; ``pred_instances.keypoints`` (1, K, 2) in image pixels.

    Raises:
        InputError: A box is not finite, has no positive size, or lies outside the picture.
    """
    image = read_image(image) if isinstance(image, str) else image
    bboxes = np.asarray(bboxes, dtype=np.float32)
    if bboxes.size == 0:
        return []
    check_boxes(bboxes, image.shape[:2])
    cut, results = CropMaker(model), []
    for start in range(0, len(bboxes), batch_size):
        results.extend(model.test_step(pseudo_collate(cut(image, bboxes[start : start + batch_size]))))
    return results
