"""Measure, over the people of a dataset, what predictions depend on; a run that was stopped can go on."""

from __future__ import annotations

import copy
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
from mmengine.config import Config
from mmengine.dist import is_main_process

from mmtranspose.dataset_explanation.cases import CaseOptions, Cases
from mmtranspose.dataset_explanation.explanation_settings import DatasetExplanationSettings
from mmtranspose.dataset_explanation.labelled_people import LabelledPeople
from mmtranspose.dataset_explanation.measures import measure_attention, measure_faithfulness
from mmtranspose.dataset_explanation.report_files import write_report
from mmtranspose.dataset_explanation.summary import summarise
from mmtranspose.explain import Explainer, ExplainOptions
from mmtranspose.explain.methods import Method, RandomOrder, build_method, method_names
from mmtranspose.explain.randomization import cascade_blocks
from mmtranspose.files.resumable_arrays import Parts
from mmtranspose.keypoint_names import keypoint_names
from mmtranspose.loading.weights_comparison import weights_checksum
from mmtranspose.typing import PathLike, PoseEstimator

SLOW = ('integrated-gradients', 'smooth-grad', 'token-ablation')


def explain_dataset(
    model: PoseEstimator,
    root: PathLike,
    settings: DatasetExplanationSettings | None = None,
    progress: bool = True,
    case_options: CaseOptions | None = None,
) -> dict | None:
    """Measure what a model's predictions depend on, over the labelled people of its config's test data.

    Three things are measured: where the attention of each layer lies, for visible and for occluded keypoints; what kind
    of error each keypoint has, and on whose body its maps lie; and, for some of the people, how faithful the
    explanation methods are beside two controls. Each person goes through the
    network in the annotated box, without the flip test. Measurements are kept in ``root/parts`` as they are made, so
    the same call after a stop goes on where the first one was. In several processes (mmengine's process group) each
    process takes its share.

    Args:
        model (PoseEstimator): From :func:`mmtranspose.apis.init_model`; its ``cfg`` names the data.
        root (str | Path): Folder for measurements, ``explanation.json``, tables (``.csv``), figures,
            ``report.html`` and pages of single people.
        settings (DatasetExplanationSettings | None): None for the defaults.
        progress (bool): Show progress bars.
        case_options (CaseOptions | None): What is written of single cases; None for the defaults.

    Returns:
        dict | None: The content of ``explanation.json`` (see :func:`summarise`; and, as ``cases``,
            :func:`~mmtranspose.dataset_explanation.cases.case_summary.summarise_cases`); None on other ranks than 0.

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
    cases = Cases(model, people, settings)

    def attention(number: int) -> dict[str, np.ndarray]:
        batch, ground_truths = people.batch(number * settings.batch_size, (number + 1) * settings.batch_size)
        return measure_attention(explainer, batch, ground_truths, people.metainfo, settings)

    def case(number: int) -> dict[str, np.ndarray]:
        return cases.measure(*people.batch(number * settings.batch_size, (number + 1) * settings.batch_size))

    def faithfulness(number: int) -> dict[str, np.ndarray]:
        batch, ground_truths = people.batch(number, number + 1)
        return measure_faithfulness(explainer, batch, ground_truths, people.metainfo, methods, settings)

    batches = Parts(Path(root) / 'parts' / 'attention', made_by, -(-len(people) // settings.batch_size))
    persons = Parts(Path(root) / 'parts' / 'cases', made_by, -(-len(people) // settings.batch_size))
    tested = Parts(Path(root) / 'parts' / 'faithfulness', made_by, min(settings.faithfulness_samples, len(people)))
    batches.fill(attention, progress and 'attention, batches')
    persons.fill(case, progress and 'cases, batches')
    tested.fill(faithfulness, progress and 'faithfulness, people')
    if not is_main_process():
        return None
    names, blocks = keypoint_names(people.metainfo), list(cascade_blocks(model))
    arrays = batches.read() | tested.read()
    summary = summarise(arrays, names, [method.name for method in methods], blocks, settings)
    found = persons.read()
    summary['cases'] = cases.summarise(found)
    files = write_report(Path(root), summary)
    figures = [file for file in files if file.suffix == '.png']
    cases.write(Path(root), found, summary, case_options or CaseOptions(), figures)
    return summary


def _methods(model: PoseEstimator, settings: DatasetExplanationSettings) -> list[Method]:
    """The methods asked for, or those that need neither captum nor a pass for each token."""
    num_layers = len(model.neck.encoder.layers)
    left_out = {*SLOW, *(f'attention-norm-{layer}' for layer in range(1, num_layers))}
    default = [name for name in method_names(num_layers) if name not in left_out]
    methods = [build_method(name, num_layers) for name in dict.fromkeys(settings.methods or default)]
    return [replace(method, seed=settings.seed) if isinstance(method, RandomOrder) else method for method in methods]


def _made_by(
    model: PoseEstimator,
    cfg: Config,
    settings: DatasetExplanationSettings,
    people: LabelledPeople,
    methods: list[Method],
) -> dict:
    """All that the measurements depend on, except the images themselves."""
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
