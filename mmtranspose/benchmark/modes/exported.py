"""Exported networks and whole exported files: other runtimes beside PyTorch, and what dependency adds to a file."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mmtranspose.acceleration.openvino_network import threaded_core
from mmtranspose.acceleration.options import is_native
from mmtranspose.benchmark.benchmark_settings import BenchmarkSettings
from mmtranspose.benchmark.candidate import Candidate, Task, Tolerance
from mmtranspose.benchmark.networks import load_baseline, load_model, random_inputs, weights_file
from mmtranspose.crops.crop_maker import prepare_crops
from mmtranspose.deployment import ExportOptions, export_model, load_exported
from mmtranspose.deployment.exporting import traced
from mmtranspose.deployment.graphs import boundary_names
from mmtranspose.deployment.openvino_file import write_openvino
from mmtranspose.deployment.openvino_graph import piece
from mmtranspose.deployment.runtimes.onnxruntime_runtime import open_session
from mmtranspose.deployment.verifying import drawn_people
from mmtranspose.errors import require_package
from mmtranspose.typing import PoseEstimator

# Noise of random weights is no image: int8 is compared so that a broken network is seen, and its AP is told elsewhere.
INT8 = Tolerance(0.5, relative=True, quantile=0.99)
CALIBRATION = 8  # inputs; for speed their number does not matter
# Random weights give some flat heatmaps, on which positions are rounding alone.
POSES = {
    'fp32': dict(keypoints=Tolerance(0.1, quantile=0.9), scores=Tolerance(1e-3, relative=True)),
    'tf32': dict(keypoints=Tolerance(1.0, quantile=0.5), scores=Tolerance(2e-2, relative=True)),
    'bf16': dict(keypoints=Tolerance(4.0, quantile=0.5), scores=Tolerance(0.1, relative=True)),
}


def build_onnxruntime(config: str, checkpoint: str, device: str, batch: int) -> Task:
    """The network of an exported file in ONNX Runtime, from images to heatmaps, both in the processor's memory."""
    require_package('onnx', 'onnxruntime', 'onnxscript')
    import onnx

    model, graph = load_model(config, checkpoint, 'cpu'), 'crops'
    exported, meta = traced(model, ExportOptions(graph=graph), None)
    entry, heatmaps = boundary_names(meta.num_layers, False)
    network = onnx.utils.Extractor(exported).extract_model([entry], [heatmaps])
    session = open_session(network.SerializeToString(), device)
    inputs = {entry: random_inputs(model, batch).numpy()}
    return Task(lambda: session.run(None, inputs)[0], lambda found: dict(heatmaps=found))


def build_int8(config: str, checkpoint: str, device: str, batch: int) -> Task:  # noqa: ARG001  runs on the CPU
    """The network in whole numbers of 8 bits, and bf16 where it stays in floating point, in OpenVINO."""
    require_package('openvino', 'nncf')
    model = load_model(config, checkpoint, 'cpu')
    exported, meta = traced(model, ExportOptions(graph='crops', format='openvino', precision='int8'), None)
    entry, heatmaps = boundary_names(meta.num_layers, False)
    width, height = meta.input_size
    rng = np.random.default_rng(0)
    samples = [{'crops': rng.integers(0, 256, (1, height, width, 3), np.uint8)} for _ in range(CALIBRATION)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'network.xml'
        write_openvino(exported, meta, path, samples)
        core = threaded_core()
        network = piece(core.read_model(str(path)), [entry], [heatmaps])
        compiled = core.compile_model(network, 'CPU', {'INFERENCE_PRECISION_HINT': 'bf16'})
    inputs = [random_inputs(model, batch).numpy()]
    return Task(lambda: compiled(inputs)[0], lambda found: dict(heatmaps=found))


def exported_candidates(settings: BenchmarkSettings, batch: int, folder: Path) -> list[Candidate]:
    """Crops to keypoints. The baseline is the model as people run it; the others are files, without and with maps.

    What OpenVINO makes of bf16 on a processor without it (another format, or emulation) is marked by the name.
    """
    shared: dict[str, Any] = dict(
        config=settings.config, checkpoint=weights_file(settings, folder), device=settings.device, batch=batch
    )
    candidates = [Candidate('baseline', build_model, shared, settings.device, settings.baseline_keeps_memory)]
    for backend, precision in (('onnxruntime', 'fp32'), ('openvino', 'fp32'), ('openvino', 'bf16')):
        if backend not in settings.candidates:
            continue
        native = precision == 'fp32' or is_native(precision, torch.device(settings.device))
        tolerances = POSES[settings.precision(precision)]
        for dependency in (False, True):
            mark = f'{"" if native else " (not native)"}{", dependency" if dependency else ""}'
            arguments = dict(shared, backend=backend, precision=precision, dependency=dependency)
            name = f'{backend} {precision}{mark}'
            candidates.append(Candidate(name, build_file, arguments, settings.device, tolerances=tolerances))
    return candidates


def build_model(config: str, checkpoint: str, device: str, batch: int) -> Task:
    """``test_step`` of the model as people run it today, without the flip test."""
    model = load_baseline(config, checkpoint, device)
    model.test_cfg = dict(model.test_cfg, flip_test=False)
    crops = _crops(model, batch)

    @torch.no_grad()
    def run() -> Any:
        return [sample.pred_instances for sample in model.test_step({**crops, 'data_samples': list(_fresh(crops))})]

    return Task(run, _poses)


def build_file(
    config: str, checkpoint: str, device: str, batch: int, backend: str, precision: str, dependency: bool
) -> Task:
    """``test_step`` of an exported file."""
    model = load_model(config, checkpoint, 'cpu')
    suffix, kind = ('.xml', 'openvino') if backend == 'openvino' else ('.onnx', 'onnx')
    folder = tempfile.TemporaryDirectory()
    path = Path(folder.name) / f'file{suffix}'
    export_model(model, path, graph='crops', format=kind, precision=precision, dependency=dependency)
    estimator = load_exported(path, backend, device)
    crops = _crops(model, batch)

    def run() -> Any:
        return [sample.pred_instances for sample in estimator.test_step({**crops, 'data_samples': list(_fresh(crops))})]

    task = Task(run, _poses)
    run()  # the file is read by now
    folder.cleanup()
    return task


def _crops(model: PoseEstimator, batch: int) -> dict[str, Any]:
    """The same people as often as needed to fill a batch."""
    [(image, boxes)] = drawn_people()
    return prepare_crops(model, image, np.resize(boxes, (batch, 4)))


def _fresh(crops: dict[str, Any]) -> Any:
    return (sample.clone() for sample in crops['data_samples'])


def _poses(people: Any) -> dict[str, np.ndarray]:
    return dict(
        keypoints=np.concatenate([one.keypoints for one in people]).astype(np.float64),
        scores=np.concatenate([one.keypoint_scores for one in people]),
    )
