"""Heatmaps to keypoints."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData
from mmpose.registry import MODELS

from mmtranspose.benchmark.benchmark_settings import BenchmarkSettings
from mmtranspose.benchmark.candidate import Candidate, Task, Tolerance
from mmtranspose.benchmark.networks import weights_file
from mmtranspose.loading.config import load_config

SIGMA = 2.0
TOLERANCES = dict(keypoints=Tolerance(0.01), scores=Tolerance(1e-5))  # pixels of the input; height of the peak


def decode_candidates(settings: BenchmarkSettings, batch: int, folder: Path) -> list[Candidate]:
    """The baseline is MMPose's loop over people; ours decodes the batch at once. The heatmaps are on the device."""
    weights_file(settings, folder)  # checks config and device
    shared = dict(config=settings.config, device=settings.device, batch=batch)
    loop, at_once = (dict(shared, batched=batched) for batched in (False, True))
    return [
        Candidate('baseline', build_decoding, loop, settings.device, settings.baseline_keeps_memory),
        Candidate('ours', build_decoding, at_once, settings.device, tolerances=TOLERANCES),
    ]


def build_decoding(config: str, device: str, batch: int, batched: bool) -> Task:
    """The head's ``decode``, for the batch at once or person by person."""
    cfg = load_config(config)
    init_default_scope(cfg.get('default_scope', 'mmpose'))
    head = MODELS.build(dict(cfg.model.head, batch_decoding=batched)).to(device)
    w, h = head.decoder.heatmap_size
    heatmaps = torch.from_numpy(peaked_heatmaps(batch, head.out_channels, h, w)).to(device)
    return Task(lambda: head.decode(heatmaps), _outputs)


def peaked_heatmaps(batch: int, keypoints: int, h: int, w: int) -> np.ndarray:
    """Heatmaps (B, K, h, w) like a trained network's, float32; the same ones at each call.

    Each is a Gaussian (sigma 2 cells, height 0.2 to 1, centre anywhere on the map) and noise of 0.5 % of full height.
    """
    rng = np.random.default_rng(0)
    centres = rng.uniform(0, (h - 1, w - 1), (batch, keypoints, 2))
    rows, columns = (_gaussians(centres[..., axis], size) for axis, size in enumerate((h, w)))
    heights = rng.uniform(0.2, 1, (batch, keypoints, 1, 1))
    noise = 0.005 * rng.standard_normal((batch, keypoints, h, w))
    return (heights * rows[..., :, None] * columns[..., None, :] + noise).astype(np.float32)


def _gaussians(centres: np.ndarray, size: int) -> np.ndarray:
    """Gaussians along one axis about the centres (B, K): (B, K, size)."""
    return np.exp(-((np.arange(size) - centres[..., None]) ** 2) / (2 * SIGMA**2))


def _outputs(instances: Sequence[InstanceData]) -> dict[str, np.ndarray]:
    return dict(
        keypoints=np.concatenate([one.keypoints for one in instances]),
        scores=np.concatenate([one.keypoint_scores for one in instances]),
    )
