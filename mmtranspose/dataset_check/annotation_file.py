"""Read an annotation file: its content, what MMPose reads from it, and which of its entries cannot be read."""

from __future__ import annotations

import os.path as osp
from pathlib import Path

import numpy as np
from mmengine.dataset import BaseDataset
from mmpose.datasets.datasets.base import BaseCocoStyleDataset

from mmtranspose.dataset_check.annotations import UNKNOWN_SIZE, AnnotatedImage, AnnotatedPerson, Annotations
from mmtranspose.dataset_check.entry_fields import are_numbers, described, is_number, well_formed
from mmtranspose.dataset_check.problems import Problem
from mmtranspose.errors import InputError
from mmtranspose.files.coco_format import read_categories
from mmtranspose.files.json_files import read_json


def read_annotations(dataset: BaseDataset, may_list_images_only: bool = False) -> Annotations:
    """Read a dataset's annotation file.

    COCO's format is read entry by entry, so that a faulty entry is named and the others are still looked at. A dataset
    class with a reader of its own, such as MPII's, reads the file as a whole.

    Args:
        dataset (BaseDataset): MMPose's dataset, not loaded.
        may_list_images_only (bool): The file may have no annotations, as COCO's test-dev.

    Raises:
        InputError: The file is missing, is not JSON, or cannot be read by the dataset class.
    """
    found = Annotations(dataset.metainfo['num_keypoints'])
    if type(dataset)._load_annotations is BaseCocoStyleDataset._load_annotations:
        _read_coco(dataset, found, may_list_images_only)
    else:
        _read_whole(dataset, found)
    return found


def _read_whole(dataset: BaseDataset, found: Annotations) -> None:
    read_json(Path(dataset.ann_file), 'annotation file')
    try:
        people, images = dataset._load_annotations()
    except Exception as error:
        reason = f'{type(error).__name__}: {error}'
        raise InputError(
            f'annotation file {dataset.ann_file} cannot be read by {type(dataset).__name__}: {reason}; correct it or '
            'name the dataset class that it is for'
        ) from error
    found.images = [AnnotatedImage(one['img_id'], one['img_path']) for one in images]
    found.num_entries = len(people)
    for info in people:
        _add_person(info, dataset, found)


def _read_coco(dataset: BaseDataset, found: Annotations, may_list_images_only: bool) -> None:
    content = read_json(Path(dataset.ann_file), 'annotation file')
    content = content if isinstance(content, dict) else {}
    if may_list_images_only and content and 'annotations' not in content:
        found.lists_images_only, content['annotations'] = True, []
    for key in ('images', 'annotations'):
        if not isinstance(content.get(key), list):
            raise InputError(f'annotation file {dataset.ann_file} is not in COCO format: it has no list "{key}"')
    found.categories = read_categories(content, dataset.ann_file)
    found.num_entries = len(content['annotations'])
    images = {}
    for image in well_formed(content['images'], 'images', found.problems):
        path = osp.join(dataset.data_prefix.get('img', ''), image['file_name'])
        found.images.append(AnnotatedImage(image['id'], path, (image['width'], image['height'])))
        images[image['id']] = dict(image, img_id=image['id'], img_path=path)
    for entry in well_formed(content['annotations'], 'annotations', found.problems):
        if entry['image_id'] not in images:
            text = f'annotation {entry["id"]}: image_id {entry["image_id"]!r}'
            found.problems.append(Problem('image-unknown', text))
            continue
        if not is_number(entry.get('area')):
            found.without_area.append((entry['id'], entry['image_id']))
        _read_person(entry, images[entry['image_id']], dataset, found)


def _read_person(entry: dict, image: dict, dataset: BaseDataset, found: Annotations) -> None:
    where, crowd = f'annotation {entry["id"]}', bool(entry.get('iscrowd'))
    fault = _fault(entry, found.num_keypoints)
    if fault is not None and crowd:
        found.dropped['crowd'] += 1
        return
    if fault is not None:
        kind, text = fault
        found.problems.append(Problem(kind, f'{where}: {text}'))
        if kind in ('keypoints-missing', 'box-missing'):
            found.dropped[text] += 1
        return
    try:
        # MMPose copies the segmentation of every person, and nothing here needs it
        info = dataset.parse_data_info(dict(raw_ann_info=dict(entry, segmentation=[]), raw_img_info=image))
    except (KeyError, TypeError, ValueError, IndexError, OverflowError) as error:
        reason = f'{type(error).__name__}: {error}'
        found.problems.append(Problem('entry-malformed', f'{where}: {type(dataset).__name__} fails with {reason}'))
        return
    if info:
        _add_person(info, dataset, found, (image['width'], image['height']), entry)
    else:
        found.dropped[f'refused by {type(dataset).__name__}'] += 1


def _fault(entry: dict, num_keypoints: int) -> tuple[str, str] | None:
    """The kind of problem, and its words, where MMPose cannot read an annotation's keypoints or box."""
    flat, box = entry.get('keypoints'), entry.get('bbox')
    if flat is None:
        return 'keypoints-missing', 'no keypoints'
    if not are_numbers(flat) or len(flat) % 3:
        return 'keypoints-length', f'keypoints has {described(flat)}, not 3 x {num_keypoints} numbers'
    if box is None:
        return 'box-missing', 'no bbox'
    if not are_numbers(box) or len(box) != 4 or not np.isfinite(box).all():
        return 'box-malformed', f'bbox {box!r:.80}'
    return None


def _add_person(
    info: dict,
    dataset: BaseDataset,
    found: Annotations,
    image_size: tuple[float, float] = UNKNOWN_SIZE,
    entry: dict | None = None,
) -> None:
    """Add a person from what MMPose makes of an annotation; ``entry`` is the annotation in COCO's format, if any."""
    where = f'annotation {info["id"]}'
    points = np.asarray(info['keypoints'], np.float64)[0]
    if len(points) != found.num_keypoints:
        text = f'{where}: {len(points)} keypoints, metainfo has {found.num_keypoints}'
        found.problems.append(Problem('keypoints-length', text))
        return
    if info.get('iscrowd'):
        found.dropped['crowd'] += 1
        return
    visible = np.array(info['keypoints_visible'], np.float64).reshape(-1)
    x1, y1, x2, y2 = info['bbox'][0].tolist()
    box, stated, flagged = (x1, y1, x2 - x1, y2 - y1), np.nan, np.nan
    if entry is not None:
        flags = np.array(entry['keypoints'][2::3], np.float64)
        visible[: len(flags)] = flags  # MMPose makes 1 of 2
        box, stated, flagged = entry['bbox'], entry.get('num_keypoints', np.nan), np.count_nonzero(flags > 0)
    used = bool(dataset._is_valid_instance(info))
    if not used:
        found.dropped['labelled, but unusable' if (visible > 0).any() else 'no labelled keypoint'] += 1
    if not is_number(stated):
        found.problems.append(Problem('num-keypoints', f'{where}: num_keypoints {stated!r:.40}, not a number'))
        stated = np.nan
    keypoints = np.column_stack((points, visible))
    found.people.append(AnnotatedPerson(info['id'], info['img_id'], keypoints, box, image_size, used, stated, flagged))
