"""Images to heatmaps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from mmtranspose.acceleration import accelerate
from mmtranspose.benchmark.benchmark_settings import BenchmarkSettings
from mmtranspose.benchmark.candidate import Candidate, Task, Tolerance
from mmtranspose.benchmark.modes.exported import INT8, build_int8, build_onnxruntime
from mmtranspose.benchmark.networks import load_baseline, load_model, network, random_inputs, weights_file
from mmtranspose.errors import InputError, require_package

HEATMAP_TOLERANCES = {
    'fp32': Tolerance(1e-4, relative=True),
    'tf32': Tolerance(2e-2, relative=True),
    'fp16': Tolerance(2e-2, relative=True),
    'bf16': Tolerance(1e-1, relative=True),
}


def forward_candidates(settings: BenchmarkSettings, batch: int, folder: Path) -> list[Candidate]:
    """The baseline has materialised attention, NCHW, fp32, eager; ours are :func:`mmtranspose.apis.accelerate`'s,
    by PyTorch or OpenVINO, and the networks of exported files.

    Raises:
        InputError: A setting concerns none of the candidates; or as :func:`weights_file`.
    """
    _require_used(settings)
    checkpoint = weights_file(settings, folder)
    shared = dict(config=settings.config, checkpoint=checkpoint, device=settings.device, batch=batch)
    candidates = [Candidate('baseline', build_baseline, shared, settings.device, settings.baseline_keeps_memory)]
    for name, dtype, compiled in settings.variants() if 'torch' in settings.candidates else ():
        tolerances = dict(heatmaps=HEATMAP_TOLERANCES[settings.precision(dtype)])
        arguments = dict(shared, dtype=dtype, compiled=compiled)
        candidates.append(Candidate(name, build_ours, arguments, settings.device, tolerances=tolerances))
    if 'openvino' in settings.candidates:
        for name, dtype in settings.formats():
            arguments = dict(shared, dtype=dtype, compiled=False, backend='openvino')
            tolerances = dict(heatmaps=HEATMAP_TOLERANCES[dtype])
            candidates.append(
                Candidate(f'openvino {name}', build_ours, arguments, settings.device, tolerances=tolerances)
            )
    runtimes = (
        ('onnxruntime', build_onnxruntime, HEATMAP_TOLERANCES[settings.precision('fp32')]),
        ('openvino-int8', build_int8, INT8),
    )
    for name, build, tolerance in runtimes:
        if name in settings.candidates:
            tolerances = dict(heatmaps=tolerance)
            candidates.append(Candidate(name, build, shared, settings.device, tolerances=tolerances))
    return candidates


def _require_used(settings: BenchmarkSettings) -> None:
    if settings.compile and 'torch' not in settings.candidates:
        raise InputError('--compile concerns the candidate torch alone, which --candidates leaves out')
    if set(settings.dtypes) != {'fp32'} and not {'torch', 'openvino'} & set(settings.candidates):
        raise InputError('--dtype concerns the candidates torch and openvino, and --candidates leaves both out')


def build_baseline(config: str, checkpoint: str, device: str, batch: int) -> Task:
    """The network as people run it today."""
    model = load_baseline(config, checkpoint, device)
    inputs = random_inputs(model, batch)
    return Task(torch.no_grad()(lambda: network(model, inputs)), _outputs)


def build_ours(
    config: str, checkpoint: str, device: str, batch: int, dtype: str, compiled: bool, backend: str = 'torch'
) -> Task:
    """The accelerated model."""
    if backend == 'openvino':
        require_package('openvino')
    model = load_model(config, checkpoint, device)
    inputs = random_inputs(model, batch)
    fast = accelerate(model, dtype=dtype, compile=compiled, backend=backend)
    return Task(lambda: fast.heatmaps(inputs), _outputs)


def _outputs(heatmaps: torch.Tensor) -> dict[str, np.ndarray]:
    return dict(heatmaps=heatmaps.float().cpu().numpy())
