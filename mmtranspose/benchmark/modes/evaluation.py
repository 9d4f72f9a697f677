"""What an evaluation does beside the network: loading in the loaders' processes, and the main process's share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmcv.transforms import Compose
from mmengine.registry import FUNCTIONS, init_default_scope

from mmtranspose.benchmark.benchmark_settings import BenchmarkSettings
from mmtranspose.benchmark.candidate import Candidate, Task, Tolerance
from mmtranspose.benchmark.image_set import image_files
from mmtranspose.benchmark.modes.decode import TOLERANCES, peaked_heatmaps
from mmtranspose.benchmark.networks import load_baseline, load_model, weights_file
from mmtranspose.crops.boxes import load_bboxes
from mmtranspose.typing import PoseEstimator

STOCK_COLLATE, OUR_COLLATE = 'pseudo_collate', 'tensor_collate'


def loading_candidates(settings: BenchmarkSettings, batch: int, folder: Path) -> list[Candidate]:
    """A loader's process: image files and boxes to collated crops, on one thread as there."""
    return _candidates(settings, batch, folder, build_loading, {'images': Tolerance(0)})


def evaluating_candidates(settings: BenchmarkSettings, batch: int, folder: Path) -> list[Candidate]:
    """The main process: collated crops to predictions, with given heatmaps in place of the network's."""
    return _candidates(settings, batch, folder, build_evaluating, TOLERANCES)


def _candidates(
    settings: BenchmarkSettings,
    batch: int,
    folder: Path,
    build: Callable[..., Task],
    tolerances: dict[str, Tolerance],
) -> list[Candidate]:
    shared = dict(
        config=settings.config,
        checkpoint=weights_file(settings, folder),
        device=settings.device,
        files=image_files(settings, folder),
        batch=batch,
    )
    kept = settings.baseline_keeps_memory
    return [
        Candidate('baseline', build, dict(shared, stock=True), settings.device, kept),
        Candidate('ours', build, dict(shared, stock=False), settings.device, tolerances=tolerances),
    ]


def build_loading(
    config: str, checkpoint: str, device: str, files: Sequence[tuple[str, str]], batch: int, stock: bool
) -> Task:
    """The config's test pipeline over boxes in the order of a detector's file, which goes image by image."""
    torch.set_num_threads(1)
    model = _model(config, checkpoint, device, stock)
    pipeline, collate = _loader(model, stock)
    boxes = _boxes(model, files, batch)
    return Task(lambda: collate([pipeline(dict(box)) for box in boxes]), _images)


def build_evaluating(
    config: str, checkpoint: str, device: str, files: Sequence[tuple[str, str]], batch: int, stock: bool
) -> Task:
    """``test_step`` with a network that returns given heatmaps, and the dicts that mmengine's evaluator takes."""
    model = _model(config, checkpoint, device, stock)
    pipeline, collate = _loader(model, stock)
    data = collate([pipeline(dict(box)) for box in _boxes(model, files, batch)])
    w, h = model.head.decoder.heatmap_size
    heatmaps = torch.from_numpy(peaked_heatmaps(batch, model.head.out_channels, h, w)).to(device)
    model.test_cfg = dict(model.test_cfg, flip_test=False)
    model.extract_feat = lambda inputs: (inputs,)  # type: ignore[method-assign]  # in place of backbone and neck
    model.head.forward = lambda _: heatmaps

    @torch.no_grad()
    def run() -> list[dict]:
        return [sample.to_dict() for sample in model.test_step(dict(data))]

    return Task(run, _predictions)


def _model(config: str, checkpoint: str, device: str, stock: bool) -> PoseEstimator:
    model = (load_baseline if stock else load_model)(config, checkpoint, device)
    init_default_scope(model.cfg.get('default_scope', 'mmpose'))
    return model


def _loader(model: PoseEstimator, stock: bool) -> tuple[Compose, Callable[[list[dict]], dict[str, Any]]]:
    """The transforms and the collate function."""
    pipeline = Compose(model.cfg.test_dataloader.dataset.pipeline)
    if stock:
        return pipeline, FUNCTIONS.get(STOCK_COLLATE)
    return pipeline, lambda samples: FUNCTIONS.get(OUR_COLLATE)(samples, keep_samples=True)


def _boxes(model: PoseEstimator, files: Sequence[tuple[str, str]], batch: int) -> list[dict]:
    """``batch`` entries as a dataset's: the boxes of the images in their order, repeated if there are too few."""
    boxes = [
        dict(img_path=image, bbox=box[None, :4], bbox_score=box[4:5], **model.dataset_meta)
        for image, file in files
        for box in load_bboxes(file)
    ]
    return [boxes[index % len(boxes)] for index in range(batch)]


def _images(collated: dict[str, Any]) -> dict[str, np.ndarray]:
    return dict(images=np.stack([one.numpy() for one in collated['inputs']]).astype(np.int16))


def _predictions(samples: list[dict]) -> dict[str, np.ndarray]:
    people = [sample['pred_instances'] for sample in samples]
    return dict(
        keypoints=np.concatenate([one['keypoints'] for one in people]),
        scores=np.concatenate([one['keypoint_scores'] for one in people]),
    )
