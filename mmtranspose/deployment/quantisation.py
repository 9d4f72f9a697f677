"""Quantise an exported network to whole numbers of 8 bits by NNCF, and choose the people that it is calibrated with."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpose.registry import DATASETS

from mmtranspose.crops.boxes import whole_image
from mmtranspose.crops.crop_maker import CropMaker
from mmtranspose.dataset_check.before_run import check_data
from mmtranspose.deployment.runtimes.runtime import rgb_crops
from mmtranspose.errors import InputError, require_package
from mmtranspose.loading.config import load_config
from mmtranspose.media import read_image
from mmtranspose.media.inputs import IMAGE_SUFFIXES, known_files
from mmtranspose.typing import PathLike, PoseEstimator

MOST_PEOPLE = 300  # NNCF's own number
People = tuple[np.ndarray, np.ndarray]  # an image (h, w, 3), BGR, uint8, and boxes (N, 4), xyxy


def quantised(
    model: Any, inside: Collection[str], names: Iterable[str], samples: Sequence[dict[str, np.ndarray]]
) -> Any:
    """Quantise the convolutions and matrix products of a network; what is outside of it stays as it is.

    Args:
        model (onnx.ModelProto | openvino.Model): An exported graph.
        inside (Collection[str]): Names of the network's operations.
        names (Iterable[str]): Names of all operations.
        samples (Sequence[dict[str, np.ndarray]]): Inputs of the graph.

    Raises:
        InputError: NNCF is not installed, or there are no samples.
    """
    require_package('nncf')
    import nncf

    nncf.set_log_level(logging.ERROR)
    if not samples:
        raise InputError(
            'int8 is calibrated with images of people: name a config of a dataset or a folder (--calibration)'
        )
    outside = [name for name in names if name not in inside]
    return nncf.quantize(
        model,
        nncf.Dataset(samples),
        subset_size=len(samples),
        model_type=nncf.ModelType.TRANSFORMER,
        preset=nncf.QuantizationPreset.MIXED,
        ignored_scope=nncf.IgnoredScope(names=outside, validate=False),
    )


def calibration_people(source: PathLike | Config) -> list[People]:
    """The people that a dataset or a folder gives for a calibration, at most :data:`MOST_PEOPLE`, evenly chosen.

    Args:
        source (str | Path | Config): A config, whose ``test_dataloader`` names images and annotated people; or a folder
            of images, each of which shows one person.

    Raises:
        InputError: There are no images, or one cannot be read.
    """
    if not isinstance(source, Config) and Path(source).is_dir():
        files = known_files(str(path) for path in Path(source).iterdir())
        images = [read_image(path) for path in _evenly(files) if Path(path).suffix.lower() in IMAGE_SUFFIXES]
        if not images:
            raise InputError(f'the folder {source} holds no images to calibrate with')
        return [(image, whole_image(image)[:, :4]) for image in images]
    cfg = annotated_only(source if isinstance(source, Config) else load_config(source))
    init_default_scope(cfg.get('default_scope', 'mmpose'))
    dataset = DATASETS.build({**cfg.test_dataloader.dataset, 'pipeline': []})
    entries = [dataset.get_data_info(index) for index in _evenly(range(len(dataset)))]
    return [(read_image(entry['img_path']), entry['bbox'].astype(np.float32)) for entry in entries]


def annotated_only(cfg: Config) -> Config:
    """A copy of a config whose test data are people in their annotated boxes, checked before they are used.

    Raises:
        InputError: The config has no test data, or its files are missing or wrong.
    """
    cfg = cfg.copy()
    if not cfg.get('test_dataloader'):
        raise InputError(f'{cfg.filename or "the config"} has no test_dataloader, so it names no people')
    if 'bbox_file' in cfg.test_dataloader.dataset:
        cfg.test_dataloader.dataset.bbox_file = ''
    check_data(cfg, ['test_dataloader'], evaluation=False)
    return cfg


def graph_inputs(people: Iterable[People], graph: str, model: PoseEstimator) -> list[dict[str, np.ndarray]]:
    """People as inputs of an exported graph, whose crops are cut as those of ``model``."""
    if graph == 'image':
        return [{'image': np.ascontiguousarray(image[:, :, ::-1]), 'boxes': boxes} for image, boxes in people]
    cut = CropMaker(model)
    crops = [torch.stack([one['inputs'] for one in cut(image, boxes)]) for image, boxes in people]
    return [{'crops': rgb_crops(one)} for one in crops]


def _evenly(items: Sequence[Any]) -> Sequence[Any]:
    """At most :data:`MOST_PEOPLE` of the items, at equal distances."""
    return items[:: max(1, -(-len(items) // MOST_PEOPLE))]
