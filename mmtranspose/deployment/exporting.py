"""Export a pose estimator as a file that other runtimes run."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from mmengine.config import Config

from mmtranspose.acceleration.batch_norm_folding import fold_batch_norms
from mmtranspose.deployment.export_options import SUFFIXES, ExportOptions
from mmtranspose.deployment.file_meta import FileMeta
from mmtranspose.deployment.graphs import CropCutting, CropsGraph, ImageGraph, require_exportable
from mmtranspose.deployment.graphs.crop_cutting import convention_of, cutting_step
from mmtranspose.deployment.onnx_file import onnx_model, write_onnx
from mmtranspose.deployment.openvino_file import write_openvino
from mmtranspose.deployment.quantisation import GraphInputs, calibration_people
from mmtranspose.deployment.tensorrt_file import write_tensorrt
from mmtranspose.errors import InputError, UnsupportedModelError
from mmtranspose.explain.recording import evaluating, recorded_forward
from mmtranspose.explain.token_grid import map_size, token_to_crop
from mmtranspose.files.json_files import encoded
from mmtranspose.files.output_paths import require_output_file
from mmtranspose.keypoint_names import keypoint_names
from mmtranspose.loading.conversion import checkpoint_sha256
from mmtranspose.loading.neutral_config import neutral_config
from mmtranspose.typing import PathLike, PoseEstimator
from mmtranspose.version import __version__

if TYPE_CHECKING:
    import onnx

LICENCE = 'Apache-2.0'


def export_model(
    model: PoseEstimator,
    output: PathLike,
    checkpoint: PathLike | None = None,
    calibration: PathLike | Config | None = None,
    **options: Any,
) -> Path:
    """Write a pose estimator as one file from image and boxes to keypoints, without PyTorch and MMPose.

    Args:
        model (PoseEstimator): From :func:`mmtranspose.apis.init_model`, on any device. It is left as it is.
        output (str | Path): The file: ``.onnx``; ``.xml`` for OpenVINO, which writes a ``.bin`` beside it.
        checkpoint (str | Path | None): The file that the model was loaded from; its SHA-256 goes into the metadata.
        calibration (str | Path | Config | None): For ``precision='int8'``: a config of a dataset, or a folder of
            images, see :func:`~mmtranspose.deployment.quantisation.calibration_people`.
        **options: Fields of :class:`~mmtranspose.deployment.ExportOptions`.

    Returns:
        Path: The file.

    Raises:
        InputError: An option or the output cannot be used, or a package is not installed.
        UnsupportedModelError: The model cannot be exported; see
            :func:`~mmtranspose.deployment.graphs.require_exportable`.
    """
    chosen, path = ExportOptions.by_name(**options), Path(output).expanduser()
    if path.suffix != SUFFIXES[chosen.format]:
        raise InputError(f'{output}: a file for {chosen.format} ends in {SUFFIXES[chosen.format]}')
    require_output_file(path, 'output', [])
    require_exportable(model)
    samples: Sequence[dict[str, np.ndarray]] = []
    if chosen.precision == 'int8':
        people = calibration_people(model.cfg if calibration is None else calibration)
        samples = GraphInputs(people, chosen.graph, model)
    graph, meta = traced(model, chosen, checkpoint)
    if chosen.format == 'openvino':
        write_openvino(graph, meta, path, samples)
    elif chosen.format == 'tensorrt':
        write_tensorrt(graph, meta, path)
    else:
        write_onnx(graph, meta, path, samples)
    return path


def traced(
    model: PoseEstimator, options: ExportOptions, checkpoint: PathLike | None
) -> tuple[onnx.ModelProto, FileMeta]:
    """Trace the graph of a pose estimator that :func:`require_exportable` accepts; and what it says about itself."""
    network = copy.deepcopy(model).to('cpu')
    with evaluating(network):
        for part in (network.backbone, network.head):
            fold_batch_norms(part)  # runtimes do it too; here it makes tracing much faster
        meta = file_meta(network, options, checkpoint)
        if options.precision == 'fp16' and options.format != 'openvino':
            for part in (network.backbone, network.neck, network.head):
                part.half()
        flip_indices = list(network.dataset_meta['flip_indices']) if options.flip_test else None
        crops = CropsGraph(network, flip_indices, options.dependency)
        graph = ImageGraph(crops, CropCutting.of(network)) if options.graph == 'image' else crops
        return onnx_model(graph.eval(), meta), meta


def file_meta(model: PoseEstimator, options: ExportOptions, checkpoint: PathLike | None) -> FileMeta:
    """What a file made from a model with these options says about itself."""
    meta = model.dataset_meta
    cut = cutting_step(model)
    width, height = cut.input_size
    run = recorded_forward(model, torch.zeros(1, 3, height, width))
    names = keypoint_names(meta)
    if len(names) != run.heatmaps.shape[1]:
        raise InputError(f'dataset_meta names {len(names)} keypoints, the head predicts {run.heatmaps.shape[1]}')
    try:
        convention, padding = convention_of(cut), CropCutting.of(model).padding
    except UnsupportedModelError:
        if options.graph == 'image':
            raise
        convention, padding = 'udp' if cut.use_udp else 'plain', None
    return FileMeta(
        graph=options.graph,
        model=Path(model.cfg.filename or 'config').stem,
        keypoint_names=names,
        skeleton=_pairs(meta.get('skeleton_links', [])),
        flip_pairs=[[left, right] for left, right in _pairs(enumerate(meta['flip_indices'])) if left < right],
        sigmas=np.asarray(meta['sigmas'], float).tolist(),
        input_size=[width, height],
        token_grid=list(run.grid),
        token_to_crop=token_to_crop(run.grid, map_size(run.heatmaps), model.head.decoder.scale_factor).tolist(),
        num_layers=len(run.records),
        padding=padding,
        crop_convention=convention,
        flip_test=options.flip_test,
        dependency=options.dependency,
        precision=options.precision,
        config=neutral_config(model.cfg.pretty_text),
        dataset_meta=encoded(meta),
        checkpoint_sha256=checkpoint_sha256(checkpoint),
        version=__version__,
        licence=LICENCE,
    )


def _pairs(pairs: Any) -> list[list[int]]:
    return [[int(first), int(second)] for first, second in pairs]
