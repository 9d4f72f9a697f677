"""Top-down inference on one picture with given boxes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import mmcv
import numpy as np
import torch
from mmcv.transforms import Compose
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope
from mmengine.runner.checkpoint import _load_checkpoint_to_model
from mmpose.apis import init_model as mmpose_init_model
from mmpose.structures import PoseDataSample
from torch import nn

from mmtranspose.apis.checkpoint import meta_of, read_checkpoint, require_match
from mmtranspose.apis.config import load_config, read_json, require_model
from mmtranspose.errors import InputError


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
    try:
        torch.device(device)
    except RuntimeError:
        raise InputError(f'device {device} is unknown; use cpu, cuda:0, ...') from None
    if device.startswith('cuda') and not torch.cuda.is_available():
        raise InputError(f'device {device} is not there: this PyTorch sees no GPU; use --device cpu')
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


def load_bboxes(path: str) -> np.ndarray:
    """Boxes of one picture from a JSON file.

    Args:
        path (str): A list of boxes [x1, y1, x2, y2] or [x1, y1, x2, y2, score] in pixels; or of dicts with ``bbox``
            [x, y, w, h] and perhaps ``score``, as COCO writes detections.

    Returns:
        np.ndarray: (N, 5), xyxy and score, float32.

    Raises:
        InputError: The file is missing or no JSON; a box has another length, is not finite, or has no positive size.
    """
    entries = read_json(Path(path), 'box file')
    if not isinstance(entries, list):
        raise InputError(f'box file {path} must hold a list of boxes, not a {type(entries).__name__}')
    boxes = [_parse_box(entry, f'box file {path}, entry {index}') for index, entry in enumerate(entries)]
    return np.array(boxes, dtype=np.float32).reshape(-1, 5)


def _parse_box(entry: object, where: str) -> list[float]:
    try:
        if isinstance(entry, dict):
            x, y, w, h = (float(value) for value in entry['bbox'])
            box = [x, y, x + w, y + h, float(entry.get('score', 1.0))]
        else:
            box = [] if isinstance(entry, str) else [float(value) for value in entry]
            box = box if len(box) == 5 else [*box, 1.0]
        x1, y1, x2, y2, _ = box
    except (TypeError, ValueError, KeyError, OverflowError) as error:
        raise InputError(f'{where}: {entry!r} is not a box: four numbers x1, y1, x2, y2 are wanted ({error})') from None
    if not np.isfinite(box).all():
        raise InputError(f'{where}: the box {entry!r} has a value that is not finite')
    if x2 <= x1 or y2 <= y1:
        raise InputError(f'{where}: the box {entry!r} has no positive width and height')
    return box


def read_image(path: str) -> np.ndarray:
    """A picture as (h, w, 3), BGR, uint8.

    Raises:
        InputError: The file is missing or holds no picture that can be decoded.
    """
    if not Path(path).is_file():
        raise InputError(f'image {path} does not exist')
    try:
        image = mmcv.imread(str(path))
    except Exception as error:
        raise InputError(f'image {path} cannot be decoded: {error}') from error
    if image is None:
        raise InputError(f'image {path} cannot be decoded: it is truncated or no picture')
    return image


def whole_image(image: np.ndarray) -> np.ndarray:
    """One box, (1, 5), around the picture (h, w, 3)."""
    h, w = image.shape[:2]
    return np.array([[0, 0, w, h, 1]], dtype=np.float32)


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
    results = []
    for start in range(0, len(bboxes), batch_size):
        results.extend(model.test_step(prepare_crops(model, image, bboxes[start : start + batch_size])))
    return results


def prepare_crops(model: nn.Module, image: np.ndarray, bboxes: np.ndarray) -> dict:
    """Crops of boxes through the config's test pipeline, as a batch for ``model.test_step``.

    Args:
        model (nn.Module): From :func:`init_model`.
        image (np.ndarray): (h, w, 3), BGR, uint8.
        bboxes (np.ndarray): (N, 4) or (N, 5), xyxy in pixels and perhaps a score.

    Returns:
        dict: ``inputs``, N tensors (3, H, W), BGR, uint8; ``data_samples``.

    Raises:
        InputError: A box is not finite, has no positive size, or lies outside the picture.
    """
    check_boxes(bboxes, image.shape[:2])
    init_default_scope(model.cfg.get('default_scope', 'mmpose'))
    pipeline = Compose(model.cfg.test_dataloader.dataset.pipeline)
    return pseudo_collate([pipeline(_sample(model, image, box)) for box in bboxes])


def _sample(model: nn.Module, image: np.ndarray, box: np.ndarray) -> dict:
    score = box[4:5] if len(box) > 4 else np.ones(1, np.float32)
    return dict(img=image, bbox=box[None, :4], bbox_score=score, **model.dataset_meta)


def check_boxes(bboxes: np.ndarray, image_shape: tuple[int, int]) -> None:
    """Check boxes (N, 4) or (N, 5) against the (h, w) of their picture.

    Raises:
        InputError: A box is not finite, has no positive size, or lies outside the picture.
    """
    if bboxes.ndim != 2 or bboxes.shape[1] not in (4, 5):
        raise InputError(f'bboxes must have shape (N, 4) or (N, 5), not {bboxes.shape}')
    h, w = image_shape
    for index, box in enumerate(bboxes):
        x1, y1, x2, y2 = box[:4]
        if not np.isfinite(box).all() or x2 <= x1 or y2 <= y1:
            raise InputError(f'box {index} {box.tolist()} is not finite or has no positive width and height')
        if x2 <= 0 or y2 <= 0 or x1 >= w or y1 >= h:
            raise InputError(f'box {index} {box.tolist()} lies outside the picture of {w} x {h} pixels')
