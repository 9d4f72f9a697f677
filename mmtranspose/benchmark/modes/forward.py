"""Images to heatmaps."""

from __future__ import annotations

import numpy as np
import torch

from mmtranspose.acceleration import accelerate
from mmtranspose.benchmark.candidate import Task, Tolerance, Way
from mmtranspose.benchmark.networks import (
    load_baseline,
    load_model,
    network,
    random_inputs,
    weights_file,
)
from mmtranspose.benchmark.settings import Settings

HEATMAP_TOLERANCES = {
    'fp32': Tolerance(1e-4, relative=True),
    'tf32': Tolerance(2e-2, relative=True),
    'fp16': Tolerance(2e-2, relative=True),
    'bf16': Tolerance(1e-1, relative=True),
}


def forward_ways(settings: Settings, batch: int) -> list[Way]:
    """Materialised attention, NCHW, fp32, eager, against :func:`mmtranspose.apis.accelerate`."""
    shared = dict(config=settings.config, checkpoint=weights_file(settings), device=settings.device, batch=batch)
    ways = [Way('baseline', build_baseline, shared, settings.device, settings.baseline_keeps_memory)]
    for name, dtype, compiled in settings.variants():
        tolerances = dict(heatmaps=HEATMAP_TOLERANCES[settings.precision(dtype)])
        arguments = dict(shared, dtype=dtype, compiled=compiled)
        ways.append(Way(name, build_ours, arguments, settings.device, tolerances=tolerances))
    return ways


def build_baseline(config: str, checkpoint: str, device: str, batch: int) -> Task:
    """What people use today."""
    model = load_baseline(config, checkpoint, device)
    inputs = random_inputs(model, batch)
    return Task(torch.no_grad()(lambda: network(model, inputs)), _outputs)


def build_ours(config: str, checkpoint: str, device: str, batch: int, dtype: str, compiled: bool) -> Task:
    """The accelerated model."""
    model = load_model(config, checkpoint, device)
    inputs = random_inputs(model, batch)
    fast = accelerate(model, dtype=dtype, compile=compiled)
    return Task(lambda: fast.heatmaps(inputs), _outputs)


def _outputs(heatmaps: torch.Tensor) -> dict[str, np.ndarray]:
    return dict(heatmaps=heatmaps.float().cpu().numpy())
