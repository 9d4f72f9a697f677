"""Reading configs, and checking the data they name before anything runs."""

from __future__ import annotations

import copy
import json
from pathlib import Path

from mmengine.config import Config, ConfigDict

from mmtranspose.errors import InputError
from mmtranspose.zoo import find_config

LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


def load_config(path: str, options: dict | None = None) -> Config:
    """A config file with options merged in.

    An option ``data_root`` moves the whole data set: it replaces the config's own ``data_root`` wherever a data loader
    or an evaluator has it.

    Args:
        path (str): The config file, or the name or alias of a model of mmtranspose (``transpose-r-a3``).
        options (dict | None): What ``--cfg-options`` gave: dotted keys to values.

    Raises:
        InputError: The file is missing or is no valid config; an option does not fit it.
    """
    path = str(path) if Path(path).is_file() else find_config(str(path))
    try:
        cfg = Config.fromfile(path)
    except Exception as error:
        raise InputError(f'config {path} cannot be read: {error}') from error
    if 'data_root' in (options or {}):
        move_data_root(cfg, options['data_root'])
    merge_options(cfg, options)
    return cfg


def merge_options(cfg: Config, options: dict | None) -> None:
    """Merge what ``--cfg-options`` gave into a config, in place.

    Args:
        cfg (Config): The config.
        options (dict | None): Dotted keys to values.

    Raises:
        InputError: An option does not fit the config, as an entry that a list does not have; names the option.
    """
    try:
        cfg.merge_from_dict(options or {})
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(_misfit(copy.deepcopy(cfg), options)) from error


def _misfit(cfg: Config, options: dict) -> str:
    """What is said of the first option that cannot be merged after those before it."""
    for name, value in options.items():
        try:
            cfg.merge_from_dict({name: value})
        except (KeyError, TypeError, AttributeError):
            return f'option {name}={value} does not fit the config: {_obstacle(cfg, name)}'
    return f'the options {", ".join(options)} do not fit the config together; give fewer at once'


def _obstacle(cfg: Config, name: str) -> str:
    """What stands where a dotted key leads, or on the way to it."""
    value, keys = cfg, name.split('.')
    for depth, key in enumerate(keys):
        where = '.'.join(keys[:depth])
        if isinstance(value, list):
            if not key.isdigit() or int(key) >= len(value):
                return f'{where} is a list of {len(value)}, whose entries are numbered from 0'
            value = value[int(key)]
        elif isinstance(value, (dict, Config)):
            value = value.get(key)
        else:
            return f'{where} is {value!r:.40}, which has no {key}; set the whole of {where} in the config file'
    if isinstance(value, dict):
        return f'{name} is a dict; set its fields one by one'
    return f'{name} is {value!r:.40}; change it in the config file'


def require_model(cfg: Config) -> None:
    """Tell a base or another part of a config from the config of a model.

    Raises:
        InputError: It has no ``model``.
    """
    if not isinstance(cfg.get('model'), dict):
        raise InputError(f'config {cfg.filename} has no model; give the config of a model, not of a part of one')


def move_data_root(cfg: Config, data_root: str) -> None:
    """Replace the config's ``data_root`` in its data loaders and evaluators, in place.

    Raises:
        InputError: The config has no top-level ``data_root``.
    """
    old = cfg.get('data_root')
    if old is None:
        raise InputError('data_root cannot be set: the config has no top-level data_root')
    old, new = (str(root).rstrip('/') + '/' for root in (old, data_root))

    def moved(value):
        if isinstance(value, dict):
            for key, item in value.items():
                if key != 'pipeline':
                    value[key] = moved(item)
            return value
        if isinstance(value, (list, tuple)):
            return type(value)(moved(item) for item in value)
        if isinstance(value, str) and f'{value}/'.startswith(old):
            return new + value[len(old) :]
        return value

    for name in (*LOADERS, 'val_evaluator', 'test_evaluator'):
        if cfg.get(name) is not None:
            cfg[name] = moved(cfg[name])
    cfg.data_root = new


def check_data(cfg: Config, loaders: tuple[str, ...]) -> None:
    """Check the files of data loaders, so that a mistake is named before a model is built.

    Args:
        cfg (Config): The config.
        loaders (tuple[str, ...]): Of ``'train_dataloader'``, ``'val_dataloader'``, ``'test_dataloader'``.

    Raises:
        InputError: An annotation file is missing, is not JSON, or its categories have another number of keypoints
            than the head; the picture folder is missing; the file of detector boxes is missing or malformed.
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
        raise InputError(f'picture folder {folder} of {loader} does not exist')
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
        raise InputError(f'annotation file {path} is not in MPII format: it is no list of people with "joints"')
    counts = {len(one['joints']) for one in people}
    return dict(images=[], categories=[dict(id=1, name='person', keypoints=[*range(count)]) for count in counts])


def check_detections(path: str, image_ids: set | None = None) -> None:
    """Check a file of detector boxes in COCO's result format.

    Args:
        path (str): The file.
        image_ids (set | None): Of the pictures in the annotation file; None: not checked.

    Raises:
        InputError: It is missing, no JSON list of boxes with scores, an id is no whole number or text, a box has no
            positive, finite size, or belongs to a picture that the annotation file does not have.
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
            raise InputError(f'{where} is for picture {detection["image_id"]}, which the annotation file does not have')
        if not usable:
            raise InputError(f'{where} has the box {detection["bbox"]}; four finite numbers x, y, w, h are wanted')


def read_json(path: Path, what: str) -> object:
    """A JSON file's content.

    Raises:
        InputError: It is missing or not JSON; the message calls it ``what``.
    """
    try:
        return json.loads(Path(path).read_text())
    except FileNotFoundError:
        raise InputError(f'{what} {path} does not exist') from None
    except (ValueError, OSError, RecursionError) as error:  # ValueError: no JSON, no text, a number of 5000 digits
        raise InputError(f'{what} {path} is not JSON: {error}') from None
