"""An annotation file as arrays: what it says, and what MMPose makes of it."""

from __future__ import annotations

import os.path as osp
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from mmengine.dataset import BaseDataset
from mmpose.datasets.datasets.base import BaseCocoStyleDataset

from mmtranspose.dataset_check.entry_fields import are_numbers, described, is_number, well_formed
from mmtranspose.dataset_check.problems import Problem
from mmtranspose.errors import InputError
from mmtranspose.files.json_files import read_json
from mmtranspose.loading.data_files import read_categories


@dataclass
class Image:
    """One image: its file and the (w, h) that the annotation file gives, NaN where it gives none."""

    id: object
    path: str
    size: tuple[float, float]


@dataclass
class Annotations:
    """A file's content. N people, K keypoints as MMPose's dataset class lays them out.

    ``num_entries``: annotations in the file; the N people are those that could be read and are no crowd; ``bare``: the
    file lists images alone. ``keypoints`` (N, K, 3): x, y in pixels and flag; ``boxes`` (N, 4): x, y, w, h in pixels;
    ``sizes`` (N, 2): w, h of the person's image, NaN where unknown; ``kept`` (N,): MMPose uses the person;
    ``claimed`` (N,): ``num_keypoints``, NaN where there is none, and ``counted`` (N,) what the flags of ``keypoints``
    in the file say;
    ``dropped``: people whom MMPose drops, by reason; ``without_area``: (id, image_id) of all annotations that give no
    area, crowds and the dropped included.
    """

    num_keypoints: int
    num_entries: int = 0
    bare: bool = False
    pictures: list[Image] = field(default_factory=list)
    categories: list[dict] | None = None
    ids: list = field(default_factory=list)
    image_ids: list = field(default_factory=list)
    keypoints: np.ndarray | list = field(default_factory=list)
    boxes: np.ndarray | list = field(default_factory=list)
    sizes: np.ndarray | list = field(default_factory=list)
    kept: np.ndarray | list = field(default_factory=list)
    claimed: np.ndarray | list = field(default_factory=list)
    counted: np.ndarray | list = field(default_factory=list)
    dropped: Counter = field(default_factory=Counter)
    without_area: list[tuple] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    @property
    def labelled(self) -> np.ndarray:
        """(N, K) bool."""
        return self.keypoints[..., 2] > 0

    @property
    def visible(self) -> np.ndarray:
        """(N, K) bool: flag 2; all labelled ones where the file never uses 2, as MPII's."""
        return self.keypoints[..., 2] >= (2 if (self.keypoints[..., 2] == 2).any() else 1)

    @property
    def images_with_people(self) -> list:
        """Ids, each once, of the images with somebody whom MMPose uses."""
        return list(dict.fromkeys(id for id, kept in zip(self.image_ids, self.kept) if kept))

    def person(self, index: int) -> str:
        """How messages call a person."""
        return f'annotation {self.ids[index]}'

    def add(self, id, image_id, keypoints, box, size, kept, claimed=np.nan, counted=np.nan) -> None:
        """Append a person; :meth:`finish` makes arrays of them."""
        row = (id, image_id, keypoints, box, size, kept, claimed, counted)
        names = ('ids', 'image_ids', 'keypoints', 'boxes', 'sizes', 'kept', 'claimed', 'counted')
        for name, value in zip(names, row):
            getattr(self, name).append(value)

    def finish(self) -> Annotations:
        """Lists to arrays of the documented shapes."""
        self.keypoints = np.array(self.keypoints, np.float64).reshape(-1, self.num_keypoints, 3)
        self.boxes = np.array(self.boxes, np.float64).reshape(-1, 4)
        self.sizes = np.array(self.sizes, np.float64).reshape(-1, 2)
        self.kept = np.array(self.kept, bool)
        self.claimed, self.counted = np.array(self.claimed, np.float64), np.array(self.counted, np.float64)
        return self


def read_annotations(dataset: BaseDataset, may_be_bare: bool = False) -> Annotations:
    """Read a dataset's annotation file.

    COCO's format is read entry by entry, so that a faulty entry is named and the rest is looked at. A dataset class
    with a reader of its own, as MPII's, reads the file as a whole.

    Args:
        dataset (BaseDataset): MMPose's, not loaded.
        may_be_bare (bool): The file may list images alone, as COCO's test-dev does.

    Raises:
        InputError: The file is missing, is not JSON, or cannot be read by the dataset class.
    """
    found = Annotations(dataset.metainfo['num_keypoints'])
    if type(dataset)._load_annotations is BaseCocoStyleDataset._load_annotations:
        _read_coco(dataset, found, may_be_bare)
    else:
        _read_whole(dataset, found)
    return found.finish()


def _read_whole(dataset: BaseDataset, found: Annotations) -> None:
    read_json(Path(dataset.ann_file), 'annotation file')
    try:
        people, pictures = dataset._load_annotations()
    except Exception as error:
        reason = f'{type(error).__name__}: {error}'
        raise InputError(
            f'annotation file {dataset.ann_file} cannot be read by {type(dataset).__name__}: {reason}; correct it or '
            'name the dataset class that it is for'
        ) from error
    found.pictures = [Image(one['img_id'], one['img_path'], (np.nan, np.nan)) for one in pictures]
    found.num_entries = len(people)
    for info in people:
        _add_person(info, found, np.nan, (np.nan, np.nan), dataset)


def _read_coco(dataset: BaseDataset, found: Annotations, may_be_bare: bool) -> None:
    raw = read_json(Path(dataset.ann_file), 'annotation file')
    if isinstance(raw, dict) and may_be_bare and 'annotations' not in raw:
        found.bare, raw['annotations'] = True, []
    for key in ('images', 'annotations'):
        if not isinstance(raw, dict) or not isinstance(raw.get(key), list):
            raise InputError(f'annotation file {dataset.ann_file} is not in COCO format: it has no list "{key}"')
    found.categories = read_categories(raw, dataset.ann_file)
    found.num_entries = len(raw['annotations'])
    images = {}
    for image in well_formed(raw['images'], 'images', found.problems):
        path = osp.join(dataset.data_prefix.get('img', ''), image['file_name'])
        found.pictures.append(Image(image['id'], path, (image['width'], image['height'])))
        images[image['id']] = dict(image, img_id=image['id'], img_path=path)
    for entry in well_formed(raw['annotations'], 'annotations', found.problems):
        where = f'annotation {entry["id"]}'
        if entry['image_id'] not in images:
            found.problems.append(Problem('image-unknown', f'{where}: image_id {entry["image_id"]!r}'))
            continue
        if not is_number(entry.get('area')):
            found.without_area.append((entry['id'], entry['image_id']))
        _read_person(entry, images[entry['image_id']], dataset, found)


def _read_person(entry: dict, image: dict, dataset: BaseDataset, found: Annotations) -> None:
    where, crowd = f'annotation {entry["id"]}', bool(entry.get('iscrowd'))
    flat, box = entry.get('keypoints'), entry.get('bbox')
    kind = None
    if flat is None:
        kind, text = 'keypoints-missing', 'no keypoints'
    elif not are_numbers(flat) or len(flat) % 3:
        kind, text = 'keypoints-length', f'keypoints has {described(flat)}, not 3 x {found.num_keypoints} numbers'
    elif box is None:
        kind, text = 'box-missing', 'no bbox'
    elif not are_numbers(box) or len(box) != 4 or not np.isfinite(box).all():
        kind, text = 'box-malformed', f'bbox {box!r:.80}'
    if kind:
        if not crowd:
            found.problems.append(Problem(kind, f'{where}: {text}'))
        if crowd or kind.endswith('missing'):
            found.dropped['crowd' if crowd else text] += 1
        return
    size = image['width'], image['height']
    try:
        # the segmentation is copied by MMPose for every person, and nothing here needs it
        info = dataset.parse_data_info(dict(raw_ann_info=dict(entry, segmentation=[]), raw_img_info=image))
    except (KeyError, TypeError, ValueError, IndexError, OverflowError) as error:
        reason = f'{type(error).__name__}: {error}'
        found.problems.append(Problem('entry-malformed', f'{where}: {type(dataset).__name__} fails with {reason}'))
        return
    flags = np.array(flat[2::3], np.float64)
    if info:
        _add_person(info, found, flags, size, dataset, entry)
    else:
        found.dropped[f'refused by {type(dataset).__name__}'] += 1


def _add_person(info: dict, found: Annotations, flags, size: tuple, dataset: BaseDataset, entry: dict | None = None):
    where = f'annotation {info["id"]}'
    points = np.asarray(info['keypoints'], np.float64)[0]
    if len(points) != found.num_keypoints:
        text = f'{where}: {len(points)} keypoints, metainfo has {found.num_keypoints}'
        found.problems.append(Problem('keypoints-length', text))
        return
    visible = np.array(info['keypoints_visible'], np.float64).reshape(-1)
    if entry is not None:  # MMPose makes 1 of 2
        visible[: len(flags)] = flags
    kept = bool(dataset._is_valid_instance(info))
    if info.get('iscrowd'):
        found.dropped['crowd'] += 1
        return
    if not kept:
        found.dropped['labelled, but unusable' if (visible > 0).any() else 'no labelled keypoint'] += 1
    x1, y1, x2, y2 = info['bbox'][0].tolist()
    box = (x1, y1, x2 - x1, y2 - y1) if entry is None else entry['bbox']
    claimed = np.nan if entry is None else entry.get('num_keypoints', np.nan)
    if not is_number(claimed):
        found.problems.append(Problem('num-keypoints', f'{where}: num_keypoints {claimed!r:.40}, not a number'))
        claimed = np.nan
    counted = np.nan if entry is None else np.count_nonzero(flags > 0)
    found.add(info['id'], info['img_id'], np.column_stack((points, visible)), box, size, kept, claimed, counted)
