"""What explaining costs beside a plain forward pass, and beside whole matrices of attention."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from mmtranspose.apis.benchmark.materialised import materialise
from mmtranspose.apis.benchmark.process import PeakMemory, in_own_process
from mmtranspose.apis.inference import init_model
from mmtranspose.explain.attention import target_maps
from mmtranspose.explain.recording import recorded_forward
from mmtranspose.explain.target import Target

PROCESSES = 3  # peaks of equal runs differ: the allocator's layout does
WAYS = ('forward', 'explained', 'whole matrices')


def compare_explanations(
    config: str, batch: int = 16, device: str = 'cpu', repeats: int = 5, direction: str = 'dependency'
) -> dict[str, dict[str, float]]:
    """Three ways through a network, with the same random weights and input, compared.

    A plain forward pass; one with the maps of every keypoint in every layer; and one as the authors' script makes
    them, by attention that returns its matrices.

    Args:
        config (str): Config file, or a model's name.
        batch (int): Pictures in the batch.
        device (str): ``'cpu'`` or ``'cuda:0'``.
        repeats (int): Rounds in which each way is timed once, one after the other; medians count.
        direction (str): ``'dependency'`` or ``'affect'``.

    Returns:
        dict: By way (``WAYS``): ``seconds`` (median), ``fastest``, ``slowest``, ``peak_mib`` (growth of the peak in a
        process of its own, median of three), and both ``time_ratio`` and ``memory_ratio`` to the plain forward pass.

    Raises:
        RuntimeError: The maps of the two ways, or the heatmaps, disagree.
    """
    runs = {way: _prepared(way, config, batch, device, direction) for way in WAYS}
    _compare(*(runs[way]() for way in WAYS))
    seconds = {way: [] for way in WAYS}
    for _ in range(repeats):
        for way, run in runs.items():
            seconds[way].append(_timed(run, device))
    del runs
    results = {}
    for way in WAYS:
        results[way] = dict(
            seconds=statistics.median(seconds[way]),
            fastest=min(seconds[way]),
            slowest=max(seconds[way]),
            peak_mib=statistics.median(
                in_own_process(_peak, way, config, batch, device, direction) for _ in range(PROCESSES)
            ),
        )
    plain = results['forward']
    for row in results.values():
        row['time_ratio'] = row['seconds'] / plain['seconds']
        row['memory_ratio'] = row['peak_mib'] / plain['peak_mib']
    return results


def _prepared(way: str, config: str, batch: int, device: str, direction: str) -> Callable[[], tuple]:
    """A function that goes the way once and returns heatmaps and maps (None for the plain pass)."""
    torch.manual_seed(0)
    model = init_model(config, None, device, dict({'model.backbone.init_cfg': None}))
    nn.init.normal_(model.head.final_layer.weight)  # peaks anywhere, not all in a corner
    w, h = model.head.decoder.input_size
    inputs = torch.randn(batch, 3, h, w).to(device)
    if way == 'whole matrices':
        materialise(model.neck.encoder, keep=True)
    ways = {'forward': _forward, 'explained': _explained, 'whole matrices': _whole}
    return lambda: ways[way](model, inputs, direction)


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


def _compare(plain: tuple, explained: tuple, whole: tuple) -> None:
    if not torch.equal(plain[0], explained[0]):
        raise RuntimeError('explaining changed the heatmaps')
    difference = (explained[1] - whole[1]).abs().max().item()
    if difference > 1e-4:
        raise RuntimeError(f'the maps of the two ways differ by {difference}')


def _timed(run: Callable[[], tuple], device: str) -> float:
    start = time.perf_counter()
    run()
    if torch.device(device).type == 'cuda':
        torch.cuda.synchronize()
    return time.perf_counter() - start


def _peak(way: str, config: str, batch: int, device: str, direction: str) -> float:
    run = _prepared(way, config, batch, device, direction)
    memory = PeakMemory(device)
    run()
    return memory.mib
