"""What an evaluation does beside the network: reading in the loaders' processes, and the main process's share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from mmcv.transforms import Compose
from mmengine.registry import FUNCTIONS, init_default_scope
from torch import nn

from mmtranspose.benchmark.candidate import Task, Tolerance, Way
from mmtranspose.benchmark.image_set import image_files
from mmtranspose.benchmark.modes.decode import TOLERANCES, peaked_heatmaps
from mmtranspose.benchmark.networks import load_baseline, load_model, weights_file
from mmtranspose.benchmark.settings import Settings
from mmtranspose.crops.boxes import load_bboxes

STOCK_COLLATE = 'pseudo_collate'


OUR_COLLATE = 'tensor_collate'


def loading_ways(settings: Settings, batch: int) -> list[Way]:
    """What a loader's process does: image files and boxes to collated crops, on one thread as there."""
    return _ways(settings, build_loading, batch, {'images': Tolerance(0)})


def evaluating_ways(settings: Settings, batch: int) -> list[Way]:
    """What the main process does with collated crops, but for the network, whose heatmaps are given."""
    return _ways(settings, build_evaluating, batch, TOLERANCES)


def _ways(settings: Settings, build, batch: int, tolerances: dict[str, Tolerance]) -> list[Way]:
    shared = dict(
        config=settings.config,
        checkpoint=weights_file(settings),
        device=settings.device,
        files=image_files(settings),
        batch=batch,
    )
    kept = settings.baseline_keeps_memory
    return [
        Way('baseline', build, dict(shared, stock=True), settings.device, kept),
        Way('ours', build, dict(shared, stock=False), settings.device, tolerances=tolerances),
    ]


def build_loading(
    config: str, checkpoint: str, device: str, files: Sequence[tuple[str, str]], batch: int, stock: bool
) -> Task:
    """The config's test pipeline over boxes in a detector file's order, which goes image by image."""
    torch.set_num_threads(1)
    model = _model(config, checkpoint, device, stock)
    pipeline, collate = _loader(model, stock)
    boxes = _boxes(model, files, batch)
    return Task(lambda: collate([pipeline(dict(box)) for box in boxes]), _images)


def build_evaluating(
    config: str, checkpoint: str, device: str, files: Sequence[tuple[str, str]], batch: int, stock: bool
) -> Task:
    """``test_step`` with a network that hands on given heatmaps, and what mmengine's evaluator takes of its results."""
    model = _model(config, checkpoint, device, stock)
    pipeline, collate = _loader(model, stock)
    data = collate([pipeline(dict(box)) for box in _boxes(model, files, batch)])
    w, h = model.head.decoder.heatmap_size
    heatmaps = torch.from_numpy(peaked_heatmaps(batch, model.head.out_channels, h, w)).to(device)
    model.test_cfg = dict(model.test_cfg, flip_test=False)
    model.extract_feat = lambda inputs: (inputs,)
    model.head.forward = lambda feats: heatmaps

    @torch.no_grad()
    def run() -> list[dict]:
        return [sample.to_dict() for sample in model.test_step(dict(data))]

    return Task(run, _predictions)


def _model(config: str, checkpoint: str, device: str, stock: bool) -> nn.Module:
    model = (load_baseline if stock else load_model)(config, checkpoint, device)
    init_default_scope(model.cfg.get('default_scope', 'mmpose'))
    return model


def _loader(model: nn.Module, stock: bool) -> tuple[Compose, object]:
    """The transforms and the collate function."""
    pipeline = Compose(model.cfg.test_dataloader.dataset.pipeline)
    if stock:
        return pipeline, FUNCTIONS.get(STOCK_COLLATE)
    return pipeline, lambda samples: FUNCTIONS.get(OUR_COLLATE)(samples, keep_samples=True)


def _boxes(model: nn.Module, files: Sequence[tuple[str, str]], batch: int) -> list[dict]:
    """The first ``batch`` boxes of the images, which begin again when they end, as a dataset hands them out."""
    boxes = [
        dict(img_path=picture, bbox=box[None, :4], bbox_score=box[4:5], **model.dataset_meta)
        for picture, file in files
        for box in load_bboxes(file)
    ]
    return [boxes[index % len(boxes)] for index in range(batch)]


def _images(collated: dict) -> dict[str, np.ndarray]:
    return dict(images=np.stack([one.numpy() for one in collated['inputs']]).astype(np.int16))


def _predictions(samples: list[dict]) -> dict[str, np.ndarray]:
    people = [sample['pred_instances'] for sample in samples]
    return dict(
        keypoints=np.concatenate([one['keypoints'] for one in people]),
        scores=np.concatenate([one['keypoint_scores'] for one in people]),
    )
