"""Measure, over the people of a dataset, what predictions depend on; a run that was stopped can go on."""

from __future__ import annotations

import copy
import sys
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.dist import barrier, is_main_process

from mmtranspose.acceleration import OpenVinoEncoders
from mmtranspose.dataset_explanation.cases import CaseOptions, Cases
from mmtranspose.dataset_explanation.explanation_settings import DatasetExplanationSettings
from mmtranspose.dataset_explanation.kept_measurements import (
    KeptMeasurements,
    found_and_missing,
    read_tested,
)
from mmtranspose.dataset_explanation.labelled_people import LabelledPeople
from mmtranspose.dataset_explanation.measured_parts import attention_part, tested_person
from mmtranspose.dataset_explanation.report_files import write_report, write_summary, written_files
from mmtranspose.dataset_explanation.summary import summarise
from mmtranspose.explain import Explainer, ExplainOptions
from mmtranspose.explain.methods import Method, RandomOrder, TokenAblation, build_method, method_names
from mmtranspose.explain.metrics import forget_resamples
from mmtranspose.explain.randomization import cascade_blocks
from mmtranspose.keypoint_names import keypoint_names
from mmtranspose.typing import PathLike, PoseEstimator
from mmtranspose.version import found_versions

SLOW = ('integrated-gradients', 'smooth-grad', TokenAblation.name)


def explain_dataset(
    model: PoseEstimator,
    root: PathLike,
    settings: DatasetExplanationSettings | None = None,
    progress: bool = True,
    case_options: CaseOptions | None = None,
    loader: str = 'test_dataloader',
) -> dict | None:
    """Measure what a model's predictions depend on, over the labelled people of its config's data.

    Three things are measured: where the attention of each layer lies, for visible and for occluded keypoints; what kind
    of error each keypoint has, and on whose body its maps lie; and, for some of the people, how faithful the
    explanation methods are beside two controls. Each person goes through the network in the annotated box, without the
    flip test. Measurements are kept in ``root/parts`` as they are made, by what they depend on (see
    :class:`KeptMeasurements`): the same call after a stop goes on where the first one was, and a call for more people,
    another method or other settings measures only what is not there yet. In several processes (mmengine's process
    group) each process takes its share, and the results are the same.

    Args:
        model (PoseEstimator): From :func:`mmtranspose.apis.init_model`; its ``cfg`` names the data.
        root (str | Path): Folder for measurements, ``explanation.json``, tables (``.csv``), figures,
            ``report.html`` and pages of single people.
        settings (DatasetExplanationSettings | None): None for the defaults.
        progress (bool): Show progress bars, and say what is there already.
        case_options (CaseOptions | None): What is written of single cases; None for the defaults.
        loader (str): The config's data loader whose dataset has the people, ``'test_dataloader'`` or
            ``'val_dataloader'``.

    Returns:
        dict | None: The content of ``explanation.json`` (see :func:`summarise`; as ``cases``,
        :func:`~mmtranspose.dataset_explanation.cases.case_summary.summarise_cases`; and ``made_with``: config, loader,
        checksums of weights and labels, versions), which leaves out the table of
        ``dependency.csv``; None on other ranks than 0.

    Raises:
        InputError: The model cannot be explained, the data cannot be read, a method is unknown, or ``root`` holds
            measurements of other weights or other data.
    """
    settings = settings or DatasetExplanationSettings()
    explainer = Explainer(model, ExplainOptions(cell=settings.cell, flip_test=False))
    encoders = OpenVinoEncoders()
    methods = _methods(model, settings, encoders)
    cfg = copy.deepcopy(model.cfg)
    people = LabelledPeople(cfg, settings.max_samples, settings.seed, loader)
    names = keypoint_names(people.metainfo)
    kept = KeptMeasurements(Path(root) / 'parts', model, cfg, people, loader)
    attention = kept.attention(settings, len(people), len(names))
    persons = kept.cases(settings, len(people))
    tested = kept.faithfulness(settings, methods, min(settings.faithfulness_samples, len(people)))
    cases, files = Cases(model, people, settings), written_files(Path(root))
    if progress and is_main_process():
        print(found_and_missing(attention, persons, tested), file=sys.stderr)
    barrier()  # what a faster process measures by now would count as found

    def measure(number: int) -> dict[str, np.ndarray]:
        start, stop, _ = attention.stretches[number]
        return attention_part(explainer, people, range(start, stop), settings, attention.is_whole(number))

    def look(number: int) -> dict[str, np.ndarray]:
        start, stop, _ = persons.stretches[number]
        return cases.measure(range(start, stop))

    def test(number: int) -> dict[str, dict[str, np.ndarray]]:
        return tested_person(explainer, people, number, tested, methods, settings, encoders(model))

    attention.fill(measure, progress and 'attention, parts')
    persons.fill(look, progress and 'cases, parts')
    tested.fill(test, progress and 'faithfulness, people')
    if not is_main_process():
        return None
    measured = (read_tested(tested, methods, settings.score_thr), tested.count)
    blocks = list(cascade_blocks(model))
    method_list = [method.name for method in methods]
    summary, dependency = summarise(attention.read_each(), len(people), *measured, names, method_list, blocks, settings)
    found = persons.read()
    config = Path(cfg.filename).stem if cfg.filename else None
    summary['made_with'] = dict(config=config, loader=loader, crc32=kept.checksums, versions=found_versions())
    summary['cases'] = cases.summarise(found)
    forget_resamples()
    figures = write_report(files, summary, dependency)
    cases.write(files, found, summary, case_options or CaseOptions(), figures)
    write_summary(files, summary)
    return summary


def _methods(model: PoseEstimator, settings: DatasetExplanationSettings, encoders: OpenVinoEncoders) -> list[Method]:
    """The methods asked for, or those that need neither captum nor a pass for each token."""
    num_layers = len(model.neck.encoder.layers)
    left_out = {*SLOW, *(f'attention-norm-{layer}' for layer in range(1, num_layers))}
    default = [name for name in method_names(num_layers) if name not in left_out]
    options: dict[str, dict[str, Any]] = {
        TokenAblation.name: dict(encoder_of=encoders),
        RandomOrder.name: dict(seed=settings.seed),
    }
    names = dict.fromkeys(settings.methods or default)
    return [build_method(name, num_layers, **options.get(name, {})) for name in names]
