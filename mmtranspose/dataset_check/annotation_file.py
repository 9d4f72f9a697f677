"""Read an annotation file: its content, what MMPose reads from it, and which of its entries cannot be read."""

from __future__ import annotations

import os.path as osp
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from mmpose.datasets.datasets.base import BaseCocoStyleDataset

from mmtranspose.compat.windows_paths import found_path
from mmtranspose.dataset_check.annotations import UNKNOWN_SIZE, AnnotatedImage, AnnotatedPerson, Annotations
from mmtranspose.dataset_check.entry_fields import are_numbers, described, is_box, is_number, size_fault, well_formed
from mmtranspose.dataset_check.problems import Problem
from mmtranspose.errors import InputError
from mmtranspose.files.coco_format import read_categories
from mmtranspose.files.json_files import read_json
from mmtranspose.loading.weights_comparison import shortlist

# What a dataset class raises for an entry that it cannot read
UNREADABLE = (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError)


class _Entry(dict):
    """An annotation that is not copied: MMPose makes a deep copy of each, which takes a third of the time."""

    def __deepcopy__(self, memo: dict) -> _Entry:
        return self


def read_annotations(
    dataset: BaseCocoStyleDataset, may_list_images_only: bool = False, data_root: str = ''
) -> Annotations:
    """Read a dataset's annotation file.

    COCO's format is read entry by entry, each by the dataset class itself, so that a faulty entry is named and the
    others are still looked at. A dataset class with a reader of its own, such as MPII's, reads the file as a whole.

    Args:
        dataset (BaseCocoStyleDataset): MMPose's dataset, not loaded.
        may_list_images_only (bool): The file may have no annotations, as COCO's test-dev.
        data_root (str): The folder where the config says that its datasets are; empty where it says nothing.

    Raises:
        InputError: The file is missing, is not JSON, or cannot be read by the dataset class.
    """
    file = osp.abspath(dataset.ann_file)
    if not osp.exists(file):
        below = data_root and Path(file).is_relative_to(osp.abspath(data_root))
        beside = sorted(path.name for path in Path(file).parent.glob('*.json')) if below else []
        cure = f'; the dataset is not in {data_root}: --cfg-options data_root=DIR says where it is' if below else ''
        if beside:
            cure = f'; its folder has {shortlist(beside)}'
        raise InputError(f'annotation file {dataset.ann_file} does not exist{cure}')
    found = Annotations(dataset.metainfo['num_keypoints'])
    if type(dataset)._load_annotations is BaseCocoStyleDataset._load_annotations:
        _read_coco(dataset, found, may_list_images_only)
    else:
        _read_whole(dataset, found)
    return found


def _read_whole(dataset: BaseCocoStyleDataset, found: Annotations) -> None:
    if Path(dataset.ann_file).suffix == '.json':
        found.content = read_json(Path(dataset.ann_file), 'annotation file')
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
        _add_person(info, bool(dataset._is_valid_instance(info)), found)


def _read_coco(dataset: BaseCocoStyleDataset, found: Annotations, may_list_images_only: bool) -> None:
    content = read_json(Path(dataset.ann_file), 'annotation file')
    content = content if isinstance(content, dict) else {}
    if may_list_images_only and content and 'annotations' not in content:
        found.lists_images_only, content['annotations'] = True, []
    for key in ('images', 'annotations'):
        if not isinstance(content.get(key), list):
            raise InputError(f'annotation file {dataset.ann_file} is not in COCO format: it has no list "{key}"')
    found.content = content
    found.categories = read_categories(content, dataset.ann_file) if 'categories' in content else None
    found.num_entries = len(content['annotations'])
    images: dict[Any, dict] = {}
    for image in well_formed(content['images'], 'images', found.problems):
        path = found_path(osp.join(dataset.data_prefix.get('img', ''), image['file_name']))
        size = UNKNOWN_SIZE if size_fault(image) else (float(image['width']), float(image['height']))
        found.images.append(AnnotatedImage(image['id'], path, size))
        images[image['id']] = dict(image, img_id=image['id'], img_path=path)
    _count_twice(found, content)
    for entry in well_formed(content['annotations'], 'annotations', found.problems):
        if entry['image_id'] not in images:
            text = f'annotation {entry["id"]}: image_id {entry["image_id"]!r}'
            found.problems.append(Problem('image-unknown', text))
            found.dropped['of an unknown image'] += 1
            continue
        if entry['image_id'] % dataset.sample_interval:
            found.dropped['between two images that sample_interval takes'] += 1
        else:
            _read_person(entry, images[entry['image_id']], dataset, found)


def _count_twice(found: Annotations, content: dict) -> None:
    """Report ids that several entries have: pycocotools keeps only the last entry of an id."""
    of_entries = (one.get('id') for one in content['annotations'] if isinstance(one, dict))
    for what, counts in (
        ('image id', Counter(image.id for image in found.images)),
        ('annotation id', Counter(id for id in of_entries if isinstance(id, (int, float, str)))),
    ):
        twice = {value: count for value, count in counts.items() if count > 1}
        found.problems += [Problem('duplicate-id', f'{what} {value}: {count} times') for value, count in twice.items()]


def _read_person(entry: dict, image: dict, dataset: BaseCocoStyleDataset, found: Annotations) -> None:
    where = f'annotation {entry["id"]}'
    crowd = entry.get('iscrowd')
    if crowd not in (0, 1, None):
        found.problems.append(Problem('iscrowd', f'{where}: iscrowd {crowd!r:.40}'))
        return
    try:
        info = dataset.parse_data_info(dict(raw_ann_info=_Entry(entry), raw_img_info=image))
        used = bool(info) and bool(dataset._is_valid_instance(info))
    except UNREADABLE as error:
        kind, text = _fault(entry, image, dataset, error)
        found.problems.append(Problem(kind, f'{where}: {text}'))
        return
    if entry.get('keypoints') == [] and not crowd:
        found.problems.append(Problem('keypoints-empty', where))
    if info:
        _add_person(info, used, found, image, entry)
        return
    missing = [name for name in ('keypoints', 'bbox') if name not in entry]
    if not crowd and missing == ['bbox'] and _labelled(entry['keypoints']):
        found.problems.append(Problem('box-missing', f'{where}: no bbox'))
    if not crowd and missing and missing[0] == 'keypoints':
        found.problems.append(Problem('keypoints-missing', f'{where}: no keypoints'))
    reason = f'no {missing[0]}' if missing else f'refused by {type(dataset).__name__}'
    found.dropped['crowd' if crowd else reason] += 1


def _fault(entry: dict, image: dict, dataset: BaseCocoStyleDataset, error: Exception) -> tuple[str, str]:
    """The kind of problem, and its words, where the dataset class failed to read an annotation."""
    flat, box, num = entry.get('keypoints'), entry.get('bbox'), dataset.metainfo['num_keypoints']
    if size_fault(image):
        return 'entry-malformed', f'{size_fault(image)}'
    if 'bbox' in entry and not (are_numbers(box) and len(box) == 4):  # type: ignore[arg-type]
        return 'box-malformed', f'bbox {box!r:.80}'
    if 'keypoints' in entry and (not are_numbers(flat) or len(flat) % 3 or not flat):  # type: ignore[arg-type]
        return 'keypoints-length', f'keypoints has {described(flat)}, not 3 x {num} numbers'
    return 'entry-malformed', f'{type(dataset).__name__} fails with {type(error).__name__}: {error}'


def _labelled(flat: Any) -> bool:
    """Whether a keypoint is labelled, by its flag."""
    return are_numbers(flat) and any(flag > 0 for flag in flat[2::3])


def _add_person(
    info: dict, used: bool, found: Annotations, image: dict | None = None, entry: dict | None = None
) -> None:
    """Add a person from what MMPose makes of an annotation.

    Args:
        info (dict): What the dataset class made of it.
        used (bool): Whether the dataset class uses the person.
        found (Annotations): Is added to.
        image (dict | None): The image's entry in COCO's format, if any.
        entry (dict | None): The annotation in COCO's format, if any.
    """
    where = f'annotation {info["id"]}'
    points = np.asarray(info['keypoints'], np.float64)[0][:, :2]  # InterHand3DDataset has a third coordinate
    visible = np.asarray(info['keypoints_visible'], np.float64)[0]
    visible = visible if visible.ndim == 1 else visible.min(1)
    if info.get('iscrowd'):
        found.dropped['crowd'] += 1
    elif not used and not visible.any() and (entry is None or not entry.get('num_keypoints')):
        found.dropped['no labelled keypoint'] += 1
        found.boxes_alone.append((info['img_id'], _size_form(info['bbox'][0])))
    elif len(points) != found.num_keypoints:
        text = f'{where}: {len(points)} keypoints, metainfo has {found.num_keypoints}'
        found.problems.append(Problem('keypoints-length', text))
    elif image is not None and size_fault(image):
        found.problems.append(Problem('entry-malformed', f'{where}: {size_fault(image)}'))
    else:
        _add_labelled(info, np.column_stack((points, visible)), used, found, image, entry)


def _add_labelled(
    info: dict, keypoints: np.ndarray, used: bool, found: Annotations, image: dict | None, entry: dict | None
) -> None:
    """Add a person with keypoints (K, 3): x, y in pixels and MMPose's flag."""
    where = f'annotation {info["id"]}'
    box, stated, flagged = _size_form(info['bbox'][0]), np.nan, np.nan
    size = UNKNOWN_SIZE
    if image is not None and entry is not None:
        size = (float(image['width']), float(image['height']))
        stated = entry.get('num_keypoints', np.nan)
        keypoints[:, 2], flagged = _flags(entry, keypoints[:, :2], keypoints[:, 2])
        box = _own_box(entry, tuple(info['bbox'][0]), size, box)
    if not is_box(box):
        found.problems.append(Problem('box-malformed', f'{where}: bbox {list(box)!r:.80}'))
        return
    if not used:
        labelled = (keypoints[:, 2] > 0).any()
        found.dropped['labelled, but unusable' if labelled else 'no labelled keypoint'] += 1
    if not is_number(stated):
        found.problems.append(Problem('num-keypoints', f'{where}: num_keypoints {stated!r:.40}, not a number'))
        stated = np.nan
    found.people.append(AnnotatedPerson(info['id'], info['img_id'], keypoints, box, size, used, stated, flagged))


def _size_form(corners: np.ndarray) -> tuple[float, float, float, float]:
    """The box (x, y, w, h) between two corners (x1, y1, x2, y2)."""
    x1, y1, x2, y2 = (float(value) for value in corners)
    return x1, y1, x2 - x1, y2 - y1


def _flags(entry: dict, points: np.ndarray, visible: np.ndarray) -> tuple[np.ndarray, float]:
    """The flags (K,) as the file has them, where MMPose makes 1 of 2, and how many of them are above 0.

    Dataset classes may put other keypoints of an annotation after those of its field ``keypoints``, or in their place:
    then MMPose's values stay, and the count is NaN.
    """
    try:
        raw = np.array(entry.get('keypoints'), np.float64).reshape(-1, 3)
    except (TypeError, ValueError):
        return visible, np.nan
    ours = points[: len(raw)].astype(np.float32)
    if len(raw) > len(points) or not np.array_equal(raw[:, :2].astype(np.float32), ours, equal_nan=True):
        return visible, np.nan
    flags = visible.copy()
    flags[: len(raw)] = raw[:, 2]
    return flags, np.count_nonzero(raw[:, 2] > 0)


def _own_box(entry: dict, corners: tuple, size: tuple, box: tuple) -> tuple:
    """The box (x, y, w, h) as the file has it, before MMPose clips it to the image; ``box`` if it is another one's."""
    given = entry.get('bbox')
    if not is_box(given):
        return tuple(given) if isinstance(given, list) and len(given) == 4 else box
    x, y, w, h = given  # type: ignore[misc]
    right, bottom = size[0] - 1, size[1] - 1
    clipped = (min(max(x, 0), right), min(max(y, 0), bottom), min(max(x + w, 0), right), min(max(y + h, 0), bottom))
    same = all(abs(ours - theirs) < 1e-2 for ours, theirs in zip(clipped, corners))
    return (x, y, w, h) if same else box
