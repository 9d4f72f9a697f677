"""Image files and bounding boxes to keypoints in JSON files, with the flip test."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from mmpose.apis import inference_topdown
from mmpose.structures import PoseDataSample

from mmtranspose.acceleration import accelerate
from mmtranspose.benchmark.benchmark_settings import BenchmarkSettings
from mmtranspose.benchmark.candidate import Candidate, Task, Tolerance
from mmtranspose.benchmark.image_set import image_files
from mmtranspose.benchmark.modes.forward import HEATMAP_TOLERANCES
from mmtranspose.benchmark.networks import load_baseline, load_model, weights_file
from mmtranspose.crops.boxes import load_bboxes
from mmtranspose.files.json_files import write_json
from mmtranspose.inference import TopdownPipeline
from mmtranspose.results.prediction_files import results_dict
from mmtranspose.typing import DatasetMeta

# Pixels of the image. Where a heatmap is no single peak, as with random weights, DARK's step (gradient by curvature)
# magnifies rounding errors, and in TF32 or half precision another peak may win; so a quantile counts.
KEYPOINTS = {
    'fp32': Tolerance(0.05, quantile=0.95),
    'tf32': Tolerance(1.0, quantile=0.5),
    'fp16': Tolerance(1.0, quantile=0.5),
    'bf16': Tolerance(2.0, quantile=0.5),
}
FLIP = {'model.test_cfg.flip_test': True}
Files: TypeAlias = Sequence[tuple[str, str]]  # image files and their box files


def end_to_end_candidates(settings: BenchmarkSettings, batch: int, folder: Path) -> list[Candidate]:
    """The baseline is MMPose's ``inference_topdown`` on each file; ours takes crops of several images in a batch."""
    shared: dict[str, Any] = dict(
        config=settings.config,
        checkpoint=weights_file(settings, folder),
        device=settings.device,
        files=image_files(settings, folder),
    )
    arguments = dict(shared, folder=str(folder / 'baseline'))
    candidates = [Candidate('baseline', build_baseline, arguments, settings.device, settings.baseline_keeps_memory)]
    for name, dtype, compiled in settings.variants():
        precision = settings.precision(dtype)
        tolerances = dict(keypoints=KEYPOINTS[precision], scores=HEATMAP_TOLERANCES[precision])
        arguments = dict(shared, folder=str(folder / name), batch=batch, dtype=dtype, compiled=compiled)
        candidates.append(Candidate(name, build_ours, arguments, settings.device, tolerances=tolerances))
    return candidates


def build_baseline(config: str, checkpoint: str, device: str, files: Files, folder: str) -> Task:
    """An image is read again for each of its boxes, mirrored in a second pass, decoded person by person."""
    model = load_baseline(config, checkpoint, device, FLIP)

    def run() -> list[list[PoseDataSample]]:
        found = []
        for image, boxes in files:
            found.append(inference_topdown(model, image, load_bboxes(boxes)[:, :4]))
            _write(folder, image, found[-1], model.dataset_meta)
        return found

    return Task(run, _outputs)


def build_ours(
    config: str, checkpoint: str, device: str, files: Files, folder: str, batch: int, dtype: str, compiled: bool
) -> Task:
    """Our pipeline: an image is read once, and the accelerated model takes the people of several images at once."""
    fast = accelerate(load_model(config, checkpoint, device, FLIP), dtype=dtype, compile=compiled)
    boxes: dict[str | None, str] = dict(files)
    pipeline = TopdownPipeline(fast, lambda frames: [load_bboxes(boxes[frame.path]) for frame in frames], batch)
    images = [image for image, _ in files]

    def run() -> list[list[PoseDataSample]]:
        found = []
        for image, result in zip(images, pipeline(images)):
            found.append(result.samples)
            _write(folder, image, result.samples, fast.dataset_meta)
        return found

    return Task(run, _outputs)


def _write(folder: str, image: str, people: Sequence[PoseDataSample], meta: DatasetMeta) -> None:
    write_json(Path(folder) / f'{Path(image).stem}.json', results_dict(image, people, meta))


def _outputs(found: list[list[PoseDataSample]]) -> dict[str, np.ndarray]:
    people = [sample.pred_instances for samples in found for sample in samples]
    names = dict(keypoints='keypoints', scores='keypoint_scores')
    return {name: np.concatenate([one[field] for one in people]) for name, field in names.items()}
