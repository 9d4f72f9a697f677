"""Check the data files that a config names, before a model is built and anything runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict

from mmtranspose.errors import InputError
from mmtranspose.files.coco_format import read_categories
from mmtranspose.files.json_files import read_json
from mmtranspose.typing import PathLike


def check_data(cfg: Config, loaders: tuple[str, ...]) -> None:
    """Check that the files of data loaders are there and can be read.

    ``mmtranspose check-dataset`` (:mod:`mmtranspose.dataset_check`) looks at every annotation; this function looks
    only as far as takes a moment.

    Args:
        cfg (Config): The config.
        loaders (tuple[str, ...]): Of ``'train_dataloader'``, ``'val_dataloader'``, ``'test_dataloader'``.

    Raises:
        InputError: An annotation file is missing or is not JSON, or the number of keypoints in its categories is not
            that of the head; the image folder is missing; the file of detector boxes is missing or malformed.
    """
    num_keypoints = cfg.model.get('head', {}).get('out_channels')
    for name in loaders:
        dataset = (cfg.get(name) or {}).get('dataset')
        for leaf, steps in leaf_datasets(dataset) if dataset is not None else ():
            if 'ann_file' in leaf:
                _check_dataset(name, leaf, None if 'KeypointConverter' in steps else num_keypoints)


def leaf_datasets(dataset: ConfigDict, outer: dict[str, Any] | None = None) -> Iterator[tuple[ConfigDict, dict]]:
    """Find the datasets inside wrappers such as ``CombinedDataset``, which read files themselves.

    Args:
        dataset (ConfigDict): The config of a dataset, a wrapper or not.
        outer (dict | None): Pipeline steps, by type, of what is around it.

    Yields:
        tuple[ConfigDict, dict]: The config of each, and the pipeline steps, by type, of it and all that is around it.
    """
    steps = {**(outer or {}), **{step['type']: step for step in dataset.get('pipeline') or []}}
    inner = dataset.get('datasets') or ([dataset.dataset] if 'dataset' in dataset else [])
    for one in inner:
        yield from leaf_datasets(one, steps)
    if not inner:
        yield dataset, steps


def _check_dataset(loader: str, dataset: ConfigDict, num_keypoints: int | None) -> None:
    root = Path(dataset.get('data_root') or '')
    ann_file = root / dataset.ann_file
    annotations = read_json(ann_file, f'annotation file of {loader}')
    if dataset.type == 'MpiiDataset':
        annotations = _mpii_as_coco(ann_file, annotations)
    if dataset.type == 'CocoWholeBodyDataset':
        num_keypoints = None  # its categories list the body's keypoints alone
    if not isinstance(annotations, dict) or 'images' not in annotations:
        raise InputError(f'annotation file {ann_file} is not in COCO format: it has no "images"')
    for category in read_categories(annotations, ann_file):
        found = len(category.get('keypoints') or [])
        if num_keypoints is not None and found and found != num_keypoints:
            raise InputError(
                f'annotation file {ann_file}: category {category.get("name")!r} has {found} keypoints, but the head '
                f'predicts {num_keypoints}; set model.head.out_channels={found} or use a config for {found} keypoints'
            )
    folder = root / (dataset.get('data_prefix') or {}).get('img', '')
    if not folder.is_dir():
        raise InputError(f'image folder {folder} of {loader} does not exist')
    if dataset.get('headbox_file') and not Path(dataset.headbox_file).is_file():
        raise InputError(f'file of head boxes {dataset.headbox_file} of {loader} does not exist')
    if dataset.get('bbox_file'):
        check_detections(dataset.bbox_file, _image_ids(annotations, ann_file))


def _image_ids(annotations: dict[str, Any], path: Path) -> set[int | str]:
    try:
        return {image['id'] for image in annotations['images']}
    except (KeyError, TypeError):
        raise InputError(f'annotation file {path}: "images" must be a list of dicts with an id') from None


def _mpii_as_coco(path: Path, people: object) -> dict[str, Any]:
    """Convert MPII's format, a list of people, to the part of COCO's that is checked here: images and categories."""
    if not isinstance(people, list) or not all(isinstance(one, dict) and 'joints' in one for one in people):
        raise InputError(f'annotation file {path} is not in MPII format: it is no list of people with "joints"')
    counts = {len(one['joints']) for one in people}
    return dict(images=[], categories=[dict(id=1, name='person', keypoints=[*range(count)]) for count in counts])


def check_detections(path: PathLike, image_ids: set[int | str] | None = None) -> None:
    """Check a file of detector boxes, in COCO's format of results.

    Args:
        path (str | Path): The file.
        image_ids (set | None): Of the images in the annotation file; None: not checked.

    Raises:
        InputError: The file is missing or is no JSON list of boxes with scores; an id is no whole number or text; a
            box has no positive, finite size, or belongs to an image that is not in the annotation file.
    """
    detections = read_json(Path(path), 'file of detector boxes')
    if not isinstance(detections, list):
        raise InputError(f'file of detector boxes {path} must hold a list, not a {type(detections).__name__}')
    for index, detection in enumerate(detections):
        _check_detection(detection, image_ids, f'file of detector boxes {path}: entry {index}')


def _check_detection(detection: object, image_ids: set[int | str] | None, where: str) -> None:
    if not isinstance(detection, dict):
        raise InputError(f'{where} is {detection!r}, not a dict with a bbox')
    missing = {'image_id', 'category_id', 'bbox', 'score'} - set(detection)
    if missing:
        raise InputError(f'{where} has no {", ".join(sorted(missing))}')
    for name in ('image_id', 'category_id'):
        if not isinstance(detection[name], (int, str)):
            raise InputError(f'{where} has {name}={detection[name]!r:.40}; a whole number is wanted')
    if image_ids is not None and detection['image_id'] not in image_ids:
        raise InputError(f'{where} is for image {detection["image_id"]}, which the annotation file does not have')
    if not _is_box(detection['bbox']):
        raise InputError(f'{where} has the box {detection["bbox"]}; four finite numbers x, y, w, h are wanted')


def _is_box(bbox: Any) -> bool:
    try:
        x, y, w, h = bbox
        return w > 0 and h > 0 and all(abs(value) < 1e9 for value in (x, y, w, h))
    except (TypeError, ValueError):
        return False
