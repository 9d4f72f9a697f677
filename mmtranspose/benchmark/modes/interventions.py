"""What interventions cost: ablated tokens beside passes of the encoder, cut edges beside a forward pass."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmtranspose.acceleration import OpenVinoEncoder
from mmtranspose.benchmark.benchmark_settings import BenchmarkSettings
from mmtranspose.benchmark.candidate import Candidate, Task
from mmtranspose.benchmark.networks import load_model, network, random_inputs, weights_file
from mmtranspose.explain import edge_knockout, token_ablation
from mmtranspose.explain.interventions.perturbed_encoder import Encoder
from mmtranspose.explain.recording import RecordedForward, recorded_forward
from mmtranspose.explain.target import heatmap_peaks
from mmtranspose.typing import PoseEstimator

STRIDE = 4  # squares of tokens: a sixteenth of the passes, each of which costs the same
PASSES = 32  # computed together
Run = Callable[[PoseEstimator, Tensor, RecordedForward], Tensor]


def token_ablation_candidates(settings: BenchmarkSettings, batch: int, folder: Path) -> list[Candidate]:
    """The ablation of squares of 4 x 4 tokens; the baseline makes as many passes of the encoder.

    Where OpenVINO is installed and the model on the CPU, the ablation also runs with an encoder by OpenVINO.
    """
    names = {'baseline': 'passes', 'token ablation': 'ablation'}
    if settings.device == 'cpu' and importlib.util.find_spec('openvino') is not None:
        names['token ablation, OpenVINO'] = 'openvino'
    return _candidates(names, settings, batch, folder)


def edge_knockout_candidates(settings: BenchmarkSettings, batch: int, folder: Path) -> list[Candidate]:
    """A forward pass with the knockout of every token's edges; the baseline is one without."""
    return _candidates({'baseline': 'forward', 'with edge knockout': 'knockout'}, settings, batch, folder)


def _candidates(names: dict[str, str], settings: BenchmarkSettings, batch: int, folder: Path) -> list[Candidate]:
    shared: dict[str, Any] = dict(
        config=settings.config, checkpoint=weights_file(settings, folder), device=settings.device, batch=batch
    )
    return [
        Candidate(name, build_intervention, dict(shared, work=work), settings.device) for name, work in names.items()
    ]


def build_intervention(config: str, checkpoint: str, device: str, batch: int, work: str) -> Task:
    """One of the candidates; there is nothing to compare but the work, see tests/test_explain/test_interventions.py."""
    model = load_model(config, checkpoint, device)
    inputs = random_inputs(model, batch)
    run = recorded_forward(model, inputs)
    run_once = partial(_ablation, encoder=OpenVinoEncoder(model)) if work == 'openvino' else WORKS[work]
    return Task(lambda: run_once(model, inputs, run), _outputs)


def _outputs(result: Tensor) -> dict[str, np.ndarray]:  # noqa: ARG001  see build_intervention
    return {}


@torch.no_grad()
def _passes(model: PoseEstimator, inputs: Tensor, run: RecordedForward) -> Tensor:
    tokens, pos = run.records[0].tokens, run.records[0].pos
    squares = math.prod(-(-side // STRIDE) for side in run.grid)
    encoded = tokens
    for count in torch.arange(len(inputs) * squares).split(PASSES):
        encoded = model.neck.encoder(tokens[:1].expand(len(count), -1, -1), pos)
    return encoded


def _ablation(model: PoseEstimator, inputs: Tensor, run: RecordedForward, encoder: Encoder | None = None) -> Tensor:
    peaks = heatmap_peaks(run.heatmaps)
    return token_ablation(model, inputs, peaks, stride=STRIDE, batch_size=PASSES, encoder=encoder)


@torch.no_grad()
def _forward(model: PoseEstimator, inputs: Tensor, run: RecordedForward) -> Tensor:  # noqa: ARG001  as the others
    return network(model, inputs)


def _knockout(model: PoseEstimator, inputs: Tensor, run: RecordedForward) -> Tensor:
    return edge_knockout(model, inputs, heatmap_peaks(run.heatmaps))


WORKS: dict[str, Run] = {'passes': _passes, 'ablation': _ablation, 'forward': _forward, 'knockout': _knockout}
