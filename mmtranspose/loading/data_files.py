"""Check the data files that a config names before anything runs."""

from __future__ import annotations

from pathlib import Path

from mmengine.config import Config, ConfigDict

from mmtranspose.errors import InputError
from mmtranspose.files.json_files import read_json


def check_data(cfg: Config, loaders: tuple[str, ...]) -> None:
    """Check the files of data loaders, so that a mistake is named before a model is built.

    Args:
        cfg (Config): The config.
        loaders (tuple[str, ...]): Of ``'train_dataloader'``, ``'val_dataloader'``, ``'test_dataloader'``.

    Raises:
        InputError: An annotation file is missing, is not JSON, or its categories have another number of keypoints
            than the head; the image folder is missing; the file of detector boxes is missing or malformed.
    """
    num_keypoints = cfg.model.get('head', {}).get('out_channels')
    for name in loaders:
        dataset = (cfg.get(name) or {}).get('dataset')
        if dataset is not None and 'ann_file' in dataset:
            _check_dataset(name, dataset, num_keypoints)


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


def _image_ids(annotations: dict, path: Path) -> set:
    try:
        return {image['id'] for image in annotations['images']}
    except (KeyError, TypeError):
        raise InputError(f'annotation file {path}: "images" must be a list of dicts with an id') from None


def read_categories(annotations: dict, path: Path | str) -> list[dict]:
    """``categories`` of an annotation file in COCO's format; empty where there is none.

    Args:
        annotations (dict): The file's content.
        path (Path | str): The file, for messages.

    Returns:
        list[dict]: Each has an ``id``; ``keypoints`` are a list, None, or not there.

    Raises:
        InputError: They are no list of dicts with an id, or the keypoints of one are no list.
    """
    categories = annotations.get('categories', [])
    where = f'annotation file {path}: categories'
    if not isinstance(categories, list):
        raise InputError(f'{where} is {categories!r:.40}; a list of dicts is wanted')
    for index, one in enumerate(categories):
        if not isinstance(one, dict) or not isinstance(one.get('id'), (int, float, str)):
            raise InputError(f'{where}[{index}] is {one!r:.40}; a dict with an id is wanted')
        if not isinstance(one.get('keypoints') or [], list):
            raise InputError(f'{where}[{index}] has keypoints={one["keypoints"]!r:.40}; a list of names is wanted')
    return categories


def _mpii_as_coco(path: Path, people: object) -> dict:
    """MPII's own format, a list of people, as far as COCO's is looked at here."""
    if not isinstance(people, list) or not all(isinstance(one, dict) and 'joints' in one for one in people):
        raise InputError(f'annotation file {path} is not in MPII format: it is no list of people with "keypoints"')
    counts = {len(one['joints']) for one in people}
    return dict(images=[], categories=[dict(id=1, name='person', keypoints=[*range(count)]) for count in counts])


def check_detections(path: str, image_ids: set | None = None) -> None:
    """Check a file of detector boxes in COCO's result format.

    Args:
        path (str): The file.
        image_ids (set | None): Of the images in the annotation file; None: not checked.

    Raises:
        InputError: It is missing, no JSON list of boxes with scores, an id is no whole number or text, a box has no
            positive, finite size, or belongs to an image that the annotation file does not have.
    """
    detections = read_json(Path(path), 'file of detector boxes')
    if not isinstance(detections, list):
        raise InputError(f'file of detector boxes {path} must hold a list, not a {type(detections).__name__}')
    for index, detection in enumerate(detections):
        where = f'file of detector boxes {path}: entry {index}'
        if not isinstance(detection, dict):
            raise InputError(f'{where} is {detection!r}, not a dict with a bbox')
        missing = {'image_id', 'category_id', 'bbox', 'score'} - set(detection)
        if missing:
            raise InputError(f'{where} has no {", ".join(sorted(missing))}')
        for name in ('image_id', 'category_id'):
            if not isinstance(detection[name], (int, str)):
                raise InputError(f'{where} has {name}={detection[name]!r:.40}; a whole number is wanted')
        try:
            x, y, w, h = detection['bbox']
            usable = w > 0 and h > 0 and all(abs(value) < 1e9 for value in (x, y, w, h))
        except (TypeError, ValueError):
            usable = False
        if image_ids is not None and detection['image_id'] not in image_ids:
            raise InputError(f'{where} is for image {detection["image_id"]}, which the annotation file does not have')
        if not usable:
            raise InputError(f'{where} has the box {detection["bbox"]}; four finite numbers x, y, w, h are wanted')
