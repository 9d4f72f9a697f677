"""What an explanation costs, compared with a plain forward pass and with whole matrices of attention."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mmtranspose.benchmark.benchmark_settings import BenchmarkSettings
from mmtranspose.benchmark.candidate import Candidate, Task, Tolerance
from mmtranspose.benchmark.modes.forward import HEATMAP_TOLERANCES
from mmtranspose.benchmark.networks import load_model, materialise, network, random_inputs, weights_file
from mmtranspose.explain.attention import target_maps
from mmtranspose.explain.recording import recorded_forward
from mmtranspose.explain.target import Target
from mmtranspose.typing import PoseEstimator

TOLERANCES: dict[str, dict[str, Tolerance]] = {
    'baseline': {},
    'explained': dict(heatmaps=Tolerance(0)),
    'whole matrices': dict(heatmaps=HEATMAP_TOLERANCES['fp32'], maps=Tolerance(1e-3, relative=True)),
}
# With TF32 a peak may move to the next cell, whose maps are others: the bulk of the maps counts.
TF32 = dict(heatmaps=HEATMAP_TOLERANCES['tf32'], maps=Tolerance(2e-2, relative=True, quantile=0.95))


def explanation_candidates(settings: BenchmarkSettings, batch: int, folder: Path) -> list[Candidate]:
    """The baseline is a plain forward pass; the others also give the maps of every keypoint in every layer.

    ``'explained'`` computes them by :mod:`mmtranspose.explain`, ``'whole matrices'`` as the authors' script does, by
    attention that returns its matrices. All three are timed with freed memory kept, so only their work differs.
    """
    shared = dict(
        config=settings.config,
        checkpoint=weights_file(settings, folder),
        device=settings.device,
        batch=batch,
        direction=settings.direction,
    )
    tolerances = TOLERANCES | ({'whole matrices': TF32} if settings.precision('fp32') == 'tf32' else {})
    return [
        Candidate(name, build_explanation, dict(shared, name=name), settings.device, tolerances=tolerances[name])
        for name in tolerances
    ]


def build_explanation(config: str, checkpoint: str, device: str, batch: int, direction: str, name: str) -> Task:
    """One of the three candidates; heatmaps and maps are compared, of the baseline only the heatmaps."""
    model = load_model(config, checkpoint, device)
    inputs = random_inputs(model, batch)
    if name == 'whole matrices':
        materialise(model.neck.encoder, keep=True)
    runs = {'baseline': _plain, 'explained': _explained, 'whole matrices': _whole}
    return Task(lambda: runs[name](model, inputs, direction), _outputs)


def _outputs(result: tuple[Tensor, Tensor | None]) -> dict[str, np.ndarray]:
    arrays = dict(zip(('heatmaps', 'maps'), result))
    return {name: values.float().cpu().numpy() for name, values in arrays.items() if values is not None}


@torch.no_grad()
def _plain(model: PoseEstimator, inputs: Tensor, direction: str) -> tuple[Tensor, None]:  # noqa: ARG001  as the others
    return network(model, inputs), None


def _explained(model: PoseEstimator, inputs: Tensor, direction: str) -> tuple[Tensor, Tensor]:
    run = recorded_forward(model, inputs)
    return run.heatmaps, target_maps(run.records, Target.of(run.heatmaps, run.grid), direction)


@torch.no_grad()
def _whole(model: PoseEstimator, inputs: Tensor, direction: str) -> tuple[Tensor, Tensor]:
    features = model.extract_feat(inputs)
    heatmaps = model.head.forward(features)
    h, w = features[-1].shape[-2:]
    target = Target.of(heatmaps, (h, w))
    row, col = target.cells.flatten(1, 2).unbind(-1)
    index = (row * w + col).unsqueeze(-1)  # (B, K * P, 1)
    layers = []
    for layer in model.neck.encoder.layers:
        matrices = layer.self_attn.weights if direction == 'dependency' else layer.self_attn.weights.transpose(1, 2)
        layers.append(matrices.gather(1, index.expand(-1, -1, matrices.shape[-1])))
    return heatmaps, target.pooled(torch.stack(layers).unflatten(-1, target.grid))
