"""Measure, over the people of a dataset, what predictions depend on."""

from __future__ import annotations

import copy
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
from mmengine.config import Config
from mmengine.dist import is_main_process

from mmtranspose.dataset_explanation.labelled_people import LabelledPeople
from mmtranspose.dataset_explanation.measures import measure_attention, measure_faithfulness
from mmtranspose.dataset_explanation.report_files import write_report
from mmtranspose.dataset_explanation.settings import DatasetExplanationSettings
from mmtranspose.dataset_explanation.summary import summarise
from mmtranspose.explain import Explainer, ExplainOptions
from mmtranspose.explain.methods import Method, RandomOrder, build_method, method_names
from mmtranspose.explain.randomization import cascade_blocks
from mmtranspose.files.resumable_arrays import Parts
from mmtranspose.loading.weights_comparison import weights_checksum
from mmtranspose.typing import PoseEstimator


def explain_dataset(
    model: PoseEstimator, root: str | Path, settings: DatasetExplanationSettings | None = None, progress: bool = True
) -> dict | None:
    """Measure what a model's predictions depend on, over the labelled people of its config's test data.

    Where the attention of each layer lies, split by visible and occluded keypoints; and, for some of the people, how
    faithful the explanation methods are beside two controls. One pass a person in the annotated box, without flip
    test. Measurements are kept below ``root/parts`` as they come: the same call goes on after a stop. In several
    processes (mmengine's process group) each takes its share.

    Args:
        model (PoseEstimator): From :func:`mmtranspose.apis.init_model`; its ``cfg`` names the data.
        root (str | Path): Where measurements, ``explanation.json``, tables (``.csv``) and figures go.
        settings (DatasetExplanationSettings | None): None for the defaults.
        progress (bool): Show bars.

    Returns:
        dict | None: What ``explanation.json`` holds (see :func:`summarise`); None on other ranks than 0.

    Raises:
        InputError: The model cannot be explained, the data cannot be read, a method is unknown, or ``root`` holds
            measurements of something else.
    """
    settings = settings or DatasetExplanationSettings()
    explainer = Explainer(model, ExplainOptions(cell=settings.cell, flip_test=False))
    methods = _methods(model, settings)
    cfg = copy.deepcopy(model.cfg)
    people = LabelledPeople(cfg, settings.max_samples, settings.seed)
    made_by = _made_by(model, cfg, settings, people, methods)

    def attention(number: int) -> dict[str, np.ndarray]:
        batch, truths = people.batch(number * settings.batch_size, (number + 1) * settings.batch_size)
        return measure_attention(explainer, batch, truths, people.metainfo, settings)

    def faithfulness(number: int) -> dict[str, np.ndarray]:
        batch, truths = people.batch(number, number + 1)
        return measure_faithfulness(explainer, batch, truths, people.metainfo, methods, settings)

    batches = Parts(Path(root) / 'parts' / 'attention', made_by, -(-len(people) // settings.batch_size))
    tested = Parts(Path(root) / 'parts' / 'faithfulness', made_by, min(settings.faithfulness_samples, len(people)))
    batches.fill(attention, progress and 'attention, batches')
    tested.fill(faithfulness, progress and 'faithfulness, people')
    if not is_main_process():
        return None
    names = [people.metainfo['keypoint_id2name'][k] for k in range(people.metainfo['num_keypoints'])]
    blocks = list(cascade_blocks(model))
    arrays = batches.read() | tested.read()
    summary = summarise(arrays, names, [method.name for method in methods], blocks, settings)
    write_report(Path(root), summary)
    return summary


def _methods(model: PoseEstimator, settings: DatasetExplanationSettings) -> list[Method]:
    """Those asked for, or all but integrated gradients, which need captum and twenty passes a keypoint."""
    num_layers = len(model.neck.encoder.layers)
    default = [name for name in method_names(num_layers) if name != 'integrated-gradients']
    methods = [build_method(name, num_layers) for name in dict.fromkeys(settings.methods or default)]
    return [replace(method, seed=settings.seed) if isinstance(method, RandomOrder) else method for method in methods]


def _made_by(
    model: PoseEstimator,
    cfg: Config,
    settings: DatasetExplanationSettings,
    people: LabelledPeople,
    methods: list[Method],
) -> dict:
    """What the measurements depend on, but for the images themselves."""
    dataset = cfg.test_dataloader.dataset
    labels = 0
    for index in range(len(people.dataset)):
        labels = zlib.crc32(people.dataset.get_data_info(index)['keypoints'].tobytes(), labels)
    return dict(
        weights=weights_checksum(model),
        labels=labels,
        dataset=repr(dataset.to_dict()),
        data_preprocessor=repr(cfg.model.get('data_preprocessor')),
        test_cfg=repr(cfg.model.get('test_cfg')),
        **settings.as_dict() | dict(methods=[method.name for method in methods]),
    )
