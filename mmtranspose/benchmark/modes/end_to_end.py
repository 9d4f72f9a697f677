"""Image files and boxes to keypoints in JSON files, with the flip test."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from mmpose.apis import inference_topdown
from mmpose.structures import PoseDataSample
from torch import nn

from mmtranspose.acceleration import accelerate
from mmtranspose.benchmark.candidate import Task, Tolerance, Way
from mmtranspose.benchmark.image_set import image_files
from mmtranspose.benchmark.modes.forward import HEATMAP_TOLERANCES
from mmtranspose.benchmark.networks import load_baseline, load_model, weights_file
from mmtranspose.benchmark.settings import Settings
from mmtranspose.crops.boxes import load_bboxes
from mmtranspose.files.json_files import write_json
from mmtranspose.inference import TopdownPipeline
from mmtranspose.results.prediction_files import results_dict

# Pixels of the image. Where a heatmap is no single peak, as with random weights, DARK's step (gradient by curvature)
# magnifies rounding errors, and in TF32 or half precision another peak may win; so a quantile counts.
KEYPOINTS = {
    'fp32': Tolerance(0.05, quantile=0.95),
    'tf32': Tolerance(1.0, quantile=0.5),
    'fp16': Tolerance(1.0, quantile=0.5),
    'bf16': Tolerance(2.0, quantile=0.5),
}


FLIP = {'model.test_cfg.flip_test': True}


Files = Sequence[tuple[str, str]]


def end_to_end_ways(settings: Settings, batch: int) -> list[Way]:
    """MMPose's ``inference_topdown`` on every file, against crops of several images in batches of ``batch``."""
    files, folder = image_files(settings), str(settings.folder)
    shared = dict(config=settings.config, checkpoint=weights_file(settings), device=settings.device, files=files)
    arguments = dict(shared, folder=f'{folder}/baseline')
    ways = [Way('baseline', build_baseline, arguments, settings.device, settings.baseline_keeps_memory)]
    for name, dtype, compiled in settings.variants():
        precision = settings.precision(dtype)
        tolerances = dict(keypoints=KEYPOINTS[precision], scores=HEATMAP_TOLERANCES[precision])
        arguments = dict(shared, folder=f'{folder}/{name}', batch=batch, dtype=dtype, compiled=compiled)
        ways.append(Way(name, build_ours, arguments, settings.device, tolerances=tolerances))
    return ways


def build_baseline(config: str, checkpoint: str, device: str, files: Files, folder: str) -> Task:
    """An image is read again for each of its boxes, mirrored in a second pass, decoded person by person."""
    model = load_baseline(config, checkpoint, device, FLIP)

    def run() -> list[list[PoseDataSample]]:
        found = []
        for picture, boxes in files:
            found.append(inference_topdown(model, picture, load_bboxes(boxes)[:, :4]))
            _write(folder, picture, found[-1], model)
        return found

    return Task(run, _outputs)


def build_ours(
    config: str, checkpoint: str, device: str, files: Files, folder: str, batch: int, dtype: str, compiled: bool
) -> Task:
    """Our pipeline: an image is read once, people of several images go through the accelerated model together."""
    fast = accelerate(load_model(config, checkpoint, device, FLIP), dtype=dtype, compile=compiled)
    boxes = dict(files)
    pipeline = TopdownPipeline(fast, lambda frames: [load_bboxes(boxes[frame.path]) for frame in frames], batch)

    def run() -> list[list[PoseDataSample]]:
        found = []
        for result in pipeline([picture for picture, _ in files]):
            found.append(result.samples)
            _write(folder, result.frame.path, result.samples, fast)
        return found

    return Task(run, _outputs)


def _write(folder: str, picture: str, people: Sequence[PoseDataSample], model: nn.Module) -> None:
    write_json(Path(folder) / f'{Path(picture).stem}.json', results_dict(picture, people, model.dataset_meta))


def _outputs(found: list[list[PoseDataSample]]) -> dict[str, np.ndarray]:
    people = [sample.pred_instances for samples in found for sample in samples]
    names = dict(keypoints='keypoints', scores='keypoint_scores')
    return {name: np.concatenate([one[field] for one in people]) for name, field in names.items()}
