"""Training runs of a config on people that are drawn or given, ready to be run epoch by epoch."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmengine.config import Config
from mmengine.runner import Runner
from mmpose.registry import DATASETS

from mmtranspose.benchmark.networks import WITHOUT_DOWNLOAD
from mmtranspose.compat.prints import without_prints
from mmtranspose.crops.boxes import load_bboxes
from mmtranspose.engine.hooks import ResumableCheckpointHook
from mmtranspose.errors import InputError
from mmtranspose.files.json_files import write_json
from mmtranspose.loading.config import load_config

EPOCHS = 100_000  # more than are ever run: the last one would be saved


def write_annotations(path: Path, files: Sequence[tuple[str, str]], samples: int, num_keypoints: int) -> None:
    """Write annotations in COCO's format: the boxes of the images in turn, with keypoints anywhere in them.

    Args:
        path (Path): The file.
        files (Sequence[tuple[str, str]]): Pairs of an image file and its box file.
        samples (int): Number of annotations; boxes are taken again if there are fewer.
        num_keypoints (int): Number of keypoints of each.
    """
    rng = np.random.default_rng(0)
    images, boxes = [], []
    for index, (image, file) in enumerate(files):
        h, w = cv2.imread(image).shape[:2]
        images.append(dict(id=index, file_name=image, width=w, height=h))
        boxes += [(index, box[:4].tolist()) for box in load_bboxes(file)]
    annotations = []
    for number in range(samples):
        index, (x1, y1, x2, y2) = boxes[number % len(boxes)]
        keypoints = np.full((num_keypoints, 3), 2.0)
        keypoints[:, :2] = rng.uniform((x1, y1), (x2, y2), (num_keypoints, 2))
        annotation = dict(id=number, image_id=index, category_id=1, iscrowd=0, bbox=[x1, y1, x2 - x1, y2 - y1])
        annotations.append(annotation | dict(num_keypoints=num_keypoints, keypoints=keypoints.ravel().tolist()))
    categories = [dict(id=1, name='person')]
    write_json(path, dict(images=images, annotations=annotations, categories=categories))


def training_config(
    config: str, checkpoint: str, annotations: str, batch: int, work_dir: Path, parts: dict[str, Any]
) -> Config:
    """Make the config of a training run that neither validates nor, by itself, writes checkpoints.

    Args:
        config (str): Config file, or a model's name.
        checkpoint (str): Weights to begin with.
        annotations (str): From :func:`write_annotations`.
        batch (int): Samples of a step.
        work_dir (Path): Where log and checkpoints go.
        parts (dict): Types by dotted keys: of the loop, of the hooks.

    Raises:
        InputError: The config cannot be read, or has no dataset with a pipeline to train with.
    """
    cfg = load_config(config, WITHOUT_DOWNLOAD)
    loader: Any = cfg.get('train_dataloader') or {}
    stock: Any = loader.get('dataset') or {}
    if 'pipeline' not in stock:
        raise InputError(f'config {config} has no train_dataloader.dataset with a pipeline')
    loader.batch_size = batch
    loader.dataset = dict(
        type='BaseCocoStyleDataset',
        metainfo=stock.get('metainfo') or DATASETS.get(stock.type).METAINFO,
        ann_file=annotations,
        pipeline=stock.pipeline,
    )
    for name in ('val', 'test'):
        for part in ('dataloader', 'evaluator', 'cfg'):
            cfg[f'{name}_{part}'] = None
    cfg.train_cfg = dict(max_epochs=EPOCHS, val_interval=EPOCHS)
    cfg.default_hooks.checkpoint.update(save_best=None, interval=-1, by_epoch=True)
    cfg.merge_from_dict(parts)
    cfg.update(
        work_dir=str(work_dir),
        experiment_name='-'.join(work_dir.parts[-2:]),
        launcher='none',
        load_from=checkpoint,
        resume=False,
        log_level='ERROR',
        randomness=dict(seed=0),
    )
    return cfg


def ready_runner(cfg: Config) -> Runner:
    """Build a runner and bring it to its first epoch, which ``runner.train_loop.run_epoch()`` trains."""
    with without_prints(), warnings.catch_warnings():
        warnings.simplefilter('ignore')
        runner = Runner.from_cfg(cfg)
        runner.train_loop.run = partial(runner.call_hook, 'before_train')
        runner.train()
    for hook in runner.hooks:
        if isinstance(hook, ResumableCheckpointHook):
            hook.signals.restore()  # nobody preempts a benchmark
    return runner
