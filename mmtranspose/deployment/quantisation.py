"""Quantise an exported network to whole numbers of 8 bits by NNCF, and choose the people that it is calibrated with."""

from __future__ import annotations

import copy
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
from mmtranspose.dataset_check.image_files import spread_evenly
from mmtranspose.deployment.runtimes.runtime import rgb_crops
from mmtranspose.errors import InputError, require_package
from mmtranspose.loading.config import load_config
from mmtranspose.loading.leaf_datasets import take_annotated_boxes
from mmtranspose.media import read_image
from mmtranspose.media.inputs import IMAGE_SUFFIXES, known_files, suffix_of
from mmtranspose.typing import PathLike, PoseEstimator

MOST_PEOPLE = 300  # NNCF's own number
PeopleInFile = tuple[str, np.ndarray | None]  # an image's file, and boxes (N, 4), xyxy; None: one around the image


def quantised(
    model: Any, inside: Collection[str], names: Iterable[str], samples: Sequence[dict[str, np.ndarray]]
) -> Any:
    """Quantise the convolutions and matrix products of a network; what is outside of it stays as it is.

    Args:
        model (onnx.ModelProto | openvino.Model): An exported graph.
        inside (Collection[str]): Names of the network's operations.
        names (Iterable[str]): Names of all operations.
        samples (Sequence[dict[str, np.ndarray]]): Inputs of the graph. NNCF goes through them several times.

    Raises:
        InputError: NNCF is not installed; there are no samples, or one cannot be made.
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


def calibration_people(source: PathLike | Config) -> list[PeopleInFile]:
    """The people that a dataset or a folder gives for a calibration, at most :data:`MOST_PEOPLE`, evenly chosen.

    Args:
        source (str | Path | Config): A config, whose ``test_dataloader`` names images and annotated people; or a folder
            of images, each of which shows one person.

    Raises:
        InputError: There are no images, or a config's data are missing or wrong.
    """
    if not isinstance(source, Config) and Path(source).is_dir():
        files = known_files(str(path) for path in Path(source).iterdir() if suffix_of(str(path)) in IMAGE_SUFFIXES)
        if not files:
            raise InputError(f'the folder {source} holds no images to calibrate with')
        return [(file, None) for file in spread_evenly(files, MOST_PEOPLE)]
    cfg = annotated_only(source if isinstance(source, Config) else load_config(source))
    init_default_scope(cfg.get('default_scope', 'mmpose'))
    dataset = DATASETS.build({**cfg.test_dataloader.dataset, 'pipeline': []})
    entries = [dataset.get_data_info(index) for index in spread_evenly(range(len(dataset)), MOST_PEOPLE)]
    return [(entry['img_path'], entry['bbox'].astype(np.float32)) for entry in entries]


def annotated_only(cfg: Config) -> Config:
    """A copy of a config whose test data are people in their annotated boxes, checked before they are used.

    Raises:
        InputError: The config has no test data, or its files are missing or wrong.
    """
    cfg = copy.deepcopy(cfg)
    if not cfg.get('test_dataloader'):
        raise InputError(f'{cfg.filename or "the config"} has no test_dataloader, so it names no people')
    take_annotated_boxes(cfg.test_dataloader.dataset)
    check_data(cfg, ['test_dataloader'], evaluation=False)
    return cfg


class GraphInputs(Sequence[dict[str, np.ndarray]]):
    """People as inputs of an exported graph, made anew at each access: hundreds of photographs would fill the memory.

    Args:
        people (Sequence[tuple]): Image files and boxes.
        graph (str): ``'image'`` or ``'crops'``.
        model (PoseEstimator): Crops are cut as its are.
    """

    def __init__(self, people: Sequence[PeopleInFile], graph: str, model: PoseEstimator):
        self.people = people
        self.cut = CropMaker(model) if graph == 'crops' else None

    def __len__(self) -> int:
        return len(self.people)

    def __getitem__(self, index: Any) -> Any:
        """The inputs by name: ``image`` (h, w, 3), RGB, and ``boxes`` (N, 4); or ``crops`` (N, h, w, 3), RGB.

        Raises:
            InputError: The image cannot be read.
        """
        file, boxes = self.people[index]
        image = read_image(file)
        boxes = whole_image(image)[:, :4] if boxes is None else boxes
        if self.cut is None:
            return {'image': np.ascontiguousarray(image[:, :, ::-1]), 'boxes': boxes}
        return {'crops': rgb_crops(torch.stack([one['inputs'] for one in self.cut(image, boxes)]))}
