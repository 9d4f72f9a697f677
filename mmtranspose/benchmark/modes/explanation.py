"""What explaining costs beside a plain forward pass, and beside whole matrices of attention."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from mmtranspose.benchmark.candidate import Task, Tolerance, Way
from mmtranspose.benchmark.figures import spread
from mmtranspose.benchmark.measurement import measure, peak_memory
from mmtranspose.benchmark.networks import materialise
from mmtranspose.explain.attention import target_maps
from mmtranspose.explain.recording import recorded_forward
from mmtranspose.explain.target import Target
from mmtranspose.loading.init_model import init_model

PROCESSES = 3  # whose peaks are measured


TOLERANCES = {
    'forward': {},
    'explained': dict(heatmaps=Tolerance(0)),
    'whole matrices': dict(heatmaps=Tolerance(1e-4), maps=Tolerance(1e-4)),
}


WAYS = tuple(TOLERANCES)


def compare_explanations(
    config: str, batch: int = 16, device: str = 'cpu', repeats: int = 5, direction: str = 'dependency'
) -> dict[str, dict[str, float]]:
    """Three ways through a network, with the same random weights and input, compared.

    A plain forward pass; one with the maps of every keypoint in every layer; and one as the authors' script makes
    them, by attention that returns its matrices.

    Args:
        config (str): Config file, or a model's name.
        batch (int): Images in the batch.
        device (str): ``'cpu'`` or ``'cuda:0'``.
        repeats (int): Rounds in which each way is timed once, one after the other; medians count.
        direction (str): ``'dependency'`` or ``'affect'``.

    Returns:
        dict: By way (``WAYS``): ``seconds`` (median), ``fastest``, ``slowest``, ``peak_mib`` (growth of the peak in a
        process of its own, median of three), and both ``time_ratio`` and ``memory_ratio`` to the plain forward pass.

    Raises:
        RuntimeError: The maps of the two ways, or the heatmaps, disagree.
    """
    shared = dict(config=config, batch=batch, device=device, direction=direction)
    ways = [
        Way(name, build_way, dict(way=name, **shared), device, tolerances=tolerances)
        for name, tolerances in TOLERANCES.items()
    ]
    found = measure(ways, repeats, warmup=0)
    results = {}
    for way in ways:
        seconds = spread(found[way.name].seconds)
        results[way.name] = dict(
            seconds=seconds.median,
            fastest=seconds.least,
            slowest=seconds.greatest,
            peak_mib=peak_memory(way, PROCESSES),
        )
    plain = results['forward']
    for row in results.values():
        row['time_ratio'] = row['seconds'] / plain['seconds']
        row['memory_ratio'] = row['peak_mib'] / plain['peak_mib']
    return results


def build_way(way: str, config: str, batch: int, device: str, direction: str) -> Task:
    """One of ``WAYS``; heatmaps and maps (of the plain pass the former alone) are compared."""
    torch.manual_seed(0)
    model = init_model(config, None, device, dict({'model.backbone.init_cfg': None}))
    nn.init.normal_(model.head.final_layer.weight)  # peaks anywhere, not all in a corner
    w, h = model.head.decoder.input_size
    inputs = torch.randn(batch, 3, h, w).to(device)
    if way == 'whole matrices':
        materialise(model.neck.encoder, keep=True)
    ways = {'forward': _forward, 'explained': _explained, 'whole matrices': _whole}
    return Task(lambda: ways[way](model, inputs, direction), _outputs)


def _outputs(result: tuple[Tensor, Tensor | None]) -> dict[str, np.ndarray]:
    arrays = dict(zip(('heatmaps', 'maps'), result))
    return {name: values.float().cpu().numpy() for name, values in arrays.items() if values is not None}


@torch.no_grad()
def _forward(model: nn.Module, inputs: Tensor, direction: str) -> tuple[Tensor, None]:
    return model.head.forward(model.extract_feat(inputs)), None


def _explained(model: nn.Module, inputs: Tensor, direction: str) -> tuple[Tensor, Tensor]:
    run = recorded_forward(model, inputs)
    return run.heatmaps, target_maps(run.records, Target.of(run.heatmaps, run.grid), direction)


@torch.no_grad()
def _whole(model: nn.Module, inputs: Tensor, direction: str) -> tuple[Tensor, Tensor]:
    features = model.extract_feat(inputs)
    heatmaps = model.head.forward(features)
    target = Target.of(heatmaps, tuple(features[-1].shape[-2:]))
    row, col = target.cells.flatten(1, 2).unbind(-1)
    index = (row * target.grid[1] + col).unsqueeze(-1)  # (B, K * P, 1)
    layers = []
    for layer in model.neck.encoder.layers:
        matrices = layer.self_attn.weights if direction == 'dependency' else layer.self_attn.weights.transpose(1, 2)
        layers.append(matrices.gather(1, index.expand(-1, -1, matrices.shape[-1])))
    return heatmaps, target.pooled(torch.stack(layers).unflatten(-1, target.grid))
