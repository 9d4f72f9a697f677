"""All checks of a config's datasets."""

from __future__ import annotations

from collections.abc import Iterator

from mmengine.config import Config

from mmtranspose.dataset_check.annotation_file import Annotations, read_annotations
from mmtranspose.dataset_check.boxes_and_keypoints import check_boxes, check_coordinates, check_counts, check_keypoints
from mmtranspose.dataset_check.config_datasets import Source, read_sources
from mmtranspose.dataset_check.evaluation_needs import check_areas, check_box_file
from mmtranspose.dataset_check.findings import Report
from mmtranspose.dataset_check.image_files import (
    check_copies,
    check_duplicates,
    check_images,
    check_leak,
    check_same_images,
    choose,
)
from mmtranspose.dataset_check.keypoint_definition import (
    check_categories,
    check_definition,
    check_flip,
    check_half_body,
    check_head,
    check_sigmas,
    keypoint_names,
)
from mmtranspose.dataset_check.left_right import check_people, check_swapped
from mmtranspose.dataset_check.problems import Problem


def check_dataset(
    cfg: Config,
    splits: list[str] | None = None,
    images: bool = True,
    max_images: int | None = None,
    num_workers: int | None = None,
    num_examples: int = 3,
    progress: bool = False,
) -> Report:
    """Look through the annotations and images that a config names.

    Args:
        cfg (Config): From :func:`mmtranspose.loading.config.load_config`.
        splits (list[str] | None): Of ``'train'``, ``'val'``, ``'test'``; None: all that the config has.
        images (bool): Read the images too.
        max_images (int | None): Read so many of each split, spread evenly; None: all.
        num_workers (int | None): Threads that read images; None: one for each core.
        num_examples (int): Examples of a kind of problem that the report keeps.
        progress (bool): Show a bar while images are read.

    Raises:
        InputError: A split or dataset of the config cannot be used, or an annotation file cannot be read at all.
    """
    report = Report(num_examples)
    out_channels = (cfg.get('model') or {}).get('head', {}).get('out_channels')
    sources = read_sources(cfg, splits)
    files = []
    for source in sources:
        found = read_annotations(source.dataset, may_be_bare=bool(source.boxes))
        report.add_split(source, found)
        report.add(source.name, _annotation_problems(source, found, out_channels))
        report.add(source.name, check_areas(cfg, source, found))
        files.append((source, found.pictures))
    digests = {}
    for source, pictures in files if images else []:
        chosen = choose(pictures, max_images)
        problems, digests[source.name] = check_images(chosen, num_workers, f'images of {source.name}', progress)
        report.add(source.name, problems)
        report.add(source.name, check_same_images(digests[source.name]))
    for source, pictures in files:
        for other, other_images in files:
            if 'train' in source.splits and 'train' not in other.splits:
                report.add(other.name, check_leak(pictures, other_images))
                report.add(other.name, check_copies(digests.get(source.name, {}), digests.get(other.name, {})))
    return report


def _annotation_problems(source: Source, found: Annotations, out_channels: int | None) -> Iterator[Problem]:
    meta = source.dataset.metainfo
    names = keypoint_names(meta)
    yield from check_definition(meta)
    yield from check_flip(meta)
    yield from check_half_body(meta, source.steps)
    yield from check_sigmas(meta)
    yield from check_head(source.num_outputs, out_channels)
    yield from found.problems
    yield from check_duplicates(found)
    for path in source.boxes:
        yield from check_box_file(path, found)
    if not found.bare:
        yield from _people_problems(found, meta, names)


def _people_problems(found: Annotations, meta: dict, names: list[str]) -> Iterator[Problem]:
    if found.categories is not None:
        yield from check_categories(found.categories, meta, found.num_keypoints if found.ids else 0)
    yield from check_boxes(found)
    yield from check_keypoints(found, names)
    yield from check_coordinates(found)
    yield from check_counts(found)
    yield from check_people(found, names)
    yield from check_swapped(found, names)
