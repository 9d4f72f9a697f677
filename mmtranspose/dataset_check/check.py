"""Run every check on the datasets that a config names."""

from __future__ import annotations

import os.path
from collections.abc import Iterator, Sequence

from mmengine.config import Config

from mmtranspose.dataset_check.annotation_file import read_annotations
from mmtranspose.dataset_check.annotations import Annotations
from mmtranspose.dataset_check.boxes_and_keypoints import (
    check_boxes,
    check_copies_of_people,
    check_counts,
    check_keypoints,
)
from mmtranspose.dataset_check.config_datasets import ConfigDataset, datasets_of
from mmtranspose.dataset_check.coordinates import check_box_form, check_coordinates
from mmtranspose.dataset_check.detection_file import check_box_file
from mmtranspose.dataset_check.evaluation_needs import check_evaluation, metrics_of
from mmtranspose.dataset_check.findings import Report
from mmtranspose.dataset_check.image_files import (
    check_copies,
    check_files,
    check_images,
    check_leak,
    check_same_images,
    check_twice,
    spread_evenly,
)
from mmtranspose.dataset_check.keypoint_converter import check_converter
from mmtranspose.dataset_check.keypoint_definition import (
    check_categories,
    check_definition,
    check_half_body,
    check_head,
    check_swap,
)
from mmtranspose.dataset_check.left_right import check_people, check_swapped
from mmtranspose.dataset_check.problems import Problem
from mmtranspose.errors import require_at_least
from mmtranspose.files.coco_format import carried_categories
from mmtranspose.keypoint_names import keypoint_names
from mmtranspose.typing import DatasetMeta


def check_dataset(
    cfg: Config,
    splits: Sequence[str] | None = None,
    images: bool = True,
    max_images: int | None = None,
    num_workers: int | None = None,
    num_examples: int = 3,
    progress: bool = False,
    only_known: bool = False,
    evaluation: bool = True,
) -> Report:
    """Look for mistakes in the annotations and images that a config names.

    Args:
        cfg (Config): From :func:`mmtranspose.loading.config.load_config`.
        splits (Sequence[str] | None): Of ``'train'``, ``'val'``, ``'test'``; None: all that the config has.
        images (bool): Look at the images too.
        max_images (int | None): Number of images to read of each split, spread evenly; None: all.
        num_workers (int | None): Threads that read images; None: one for each core.
        num_examples (int): Examples of a kind of problem that the report keeps.
        progress (bool): Show a progress bar while images are read.
        only_known (bool): Leave out datasets that cannot be built or whose class is unknown to this check, instead of
            refusing them.
        evaluation (bool): Check what the splits' metrics read, too.

    Raises:
        InputError: A number is too small, a split or dataset of the config cannot be used, or an annotation file
            cannot be read at all.
    """
    require_at_least('max_images', max_images, 1)
    require_at_least('num_workers', num_workers, 1)
    require_at_least('num_examples', num_examples, 0)
    report = Report(num_examples)
    out_channels = (cfg.get('model') or {}).get('head', {}).get('out_channels')
    annotated: list[tuple[ConfigDataset, Annotations]] = []
    for dataset in datasets_of(cfg, splits, only_known):
        found = read_annotations(dataset.dataset, bool(dataset.box_files), cfg.get('data_root') or '')
        report.add_split(dataset, found)
        metrics = metrics_of(cfg, dataset)
        only_formatted = bool(dataset.box_files) and all(metric.get('format_only') for metric, _ in metrics)
        report.add(dataset.name, _annotation_problems(dataset, found, out_channels, only_formatted))
        if evaluation:
            report.add(dataset.name, check_evaluation(cfg, dataset, found))
        if 'train' in dataset.splits and len(dataset.splits) > 1:
            report.add(dataset.name, [Problem('same-file', f'{dataset.name} use {dataset.ann_file}')])
        found.forget_content()
        annotated.append((dataset, found))
    digests: dict[str, dict[str, bytes]] = {}
    for dataset, found in annotated if images else []:
        there, problems = check_files(found)
        report.add(dataset.name, problems)
        chosen = spread_evenly(there, max_images)
        problems, digests[dataset.name] = check_images(
            chosen, found.predicted_image_ids, num_workers, f'images of {dataset.name}', progress
        )
        report.add(dataset.name, problems)
        report.add(dataset.name, check_same_images(digests[dataset.name]))
    _check_leaks(report, annotated, digests)
    return report


def _check_leaks(
    report: Report, annotated: list[tuple[ConfigDataset, Annotations]], digests: dict[str, dict[str, bytes]]
) -> None:
    for dataset, found in annotated:
        for other, other_found in annotated:
            if 'train' not in dataset.splits or 'train' in other.splits:
                continue
            if os.path.realpath(dataset.ann_file) == os.path.realpath(other.ann_file):
                report.add(other.name, [Problem('same-file', f'{other.name} uses the file of train, {other.ann_file}')])
            else:
                report.add(other.name, check_leak(found.images, other_found.images))
                report.add(other.name, check_copies(digests.get(dataset.name, {}), digests.get(other.name, {})))


def _annotation_problems(
    dataset: ConfigDataset, found: Annotations, out_channels: int | None, only_formatted: bool
) -> Iterator[Problem]:
    """The problems of a dataset's annotations; detector boxes whose results are only written need no people."""
    meta = dataset.dataset.metainfo
    for some in (meta, dataset.outer_metainfo):
        if some is not None:
            yield from check_definition(some, dataset.steps)
            yield from check_swap(some)
    yield from check_half_body(dataset.metainfo, dataset.steps)
    converter = dataset.steps.get('KeypointConverter')
    for text in check_converter(converter, meta['num_keypoints']) if converter else ():
        yield Problem('keypoint-converter', text)
    yield from check_head(dataset.num_outputs, out_channels, dataset.metainfo['num_keypoints'])
    yield from found.problems
    yield from check_twice(found)
    for path in dataset.box_files:
        yield from check_box_file(path, found)
    if not (found.lists_images_only or (only_formatted and not found.people)):
        yield from _people_problems(found, meta)


def _people_problems(found: Annotations, meta: DatasetMeta) -> Iterator[Problem]:
    names = keypoint_names(meta)
    if found.categories is not None and isinstance(found.content, dict):
        misfits = not found.people and any(problem.kind == 'keypoints-length' for problem in found.problems)
        yield from check_categories(found.categories, carried_categories(found.content), meta, misfits)
    yield from check_boxes(found)
    yield from check_keypoints(found, names)
    yield from check_coordinates(found)
    yield from check_box_form(found)
    yield from check_copies_of_people(found)
    yield from check_counts(found)
    yield from check_people(found, names)
    yield from check_swapped(found, names)
