"""Read ``data.yaml``, in which Ultralytics YOLO describes a pose dataset."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from mmtranspose.errors import InputError
from mmtranspose.typing import PathLike

MOST_CLASSES = 10_000
MOST_KEYPOINTS = 10_000  # a larger kpt_shape is a slip, and names would fill the memory
SPLITS = dict(train=('train',), val=('val', 'validation'), test=('test',))
IMAGE_SUFFIXES = {'.bmp', '.dng', '.heic', '.jp2', '.jpeg', '.jpg', '.mpo', '.pfm', '.png', '.tif', '.tiff', '.webp'}


@dataclass(frozen=True)
class PoseData:
    """A pose dataset as its ``data.yaml`` describes it.

    Attributes:
        root (Path): Folder that file names of images are written relative to.
        splits (dict[str, list[Path]]): Images of ``'train'``, ``'val'`` and ``'test'``, as far as given.
        dims (int): Numbers for each keypoint: 2 (x, y) or 3 (x, y, flag).
        classes (dict[int, str]): Names of the classes by number.
        names (list[str]): Names of the K keypoints.
        mirrored (list[int] | None): For each keypoint the number of the one that takes its place in a mirrored image,
            itself where none does; None if the file does not say.
    """

    root: Path
    splits: dict[str, list[Path]]
    dims: int
    classes: dict[int, str]
    names: list[str]
    mirrored: list[int] | None


def read_data_yaml(path: PathLike, names: Sequence[str] | None = None) -> PoseData:
    """Read a ``data.yaml``.

    Args:
        path (str | Path): The file.
        names (Sequence[str] | None): Names of the keypoints. Default: ``kpt_names`` of the file; where it has none,
            ``keypoint_0`` and so on.

    Raises:
        InputError: The file is missing or no YAML, or a field of it is missing or contradicts another.
    """
    path = Path(path)
    content = _load(path)
    shape = content.get('kpt_shape')
    if not (isinstance(shape, list) and len(shape) == 2 and all(map(_is_count, shape)) and shape[1] in (2, 3)):
        raise InputError(
            f'{path}: kpt_shape is {shape!r:.40}; [number of keypoints, 2 or 3] is expected, as data.yaml of a pose '
            'dataset has it'
        )
    root = _root(content.get('path'), path)
    splits = {
        split: _images(content[key], root, f'{path}: {key}')
        for split, keys in SPLITS.items()
        for key in keys
        if content.get(key)
    }
    if not splits:
        raise InputError(f'{path} has neither train, val nor test; name a folder of images')
    classes = _classes(content.get('names'), content.get('nc'), path)
    keypoint_names = list(names) if names else _keypoint_names(content.get('kpt_names'), classes, shape[0], path)
    if len(keypoint_names) != shape[0] or len(set(keypoint_names)) != shape[0]:
        raise InputError(
            f'{path}: the keypoints are named {", ".join(keypoint_names)}; {shape[0]} different names are expected, '
            'as many as kpt_shape says'
        )
    return PoseData(root, splits, shape[1], classes, keypoint_names, _mirrored(content.get('flip_idx'), shape[0], path))


def _load(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding='utf-8-sig'))
    except FileNotFoundError:
        raise InputError(f'data file {path} does not exist') from None
    except OSError as error:
        raise InputError(f'data file {path} cannot be read: {error.strerror}') from None
    except (ValueError, yaml.YAMLError) as error:
        raise InputError(f'data file {path} is not YAML: {" ".join(str(error).split())}') from None
    if not isinstance(content, dict):
        raise InputError(f'data file {path} is not the data.yaml of a dataset: it has no fields')
    return content


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= MOST_KEYPOINTS


def _root(given: Any, path: Path) -> Path:
    """The dataset's folder: ``path`` of the file, relative to the file or to the working directory."""
    folder = path.absolute().parent
    candidates = [folder / str(given), Path.cwd() / str(given)] if given else []
    return next((one.resolve() for one in candidates if os.path.isdir(one)), folder.resolve())


def _images(entry: Any, root: Path, where: str) -> list[Path]:
    """Images of a split: those of a folder, of a text file that lists them, or of several of these."""
    images: list[Path] = []
    for one in entry if isinstance(entry, list) else [entry]:
        source = _existing(str(one), root, where)
        images += _listed(source) if source.is_file() else _found(source)
    if not images:
        raise InputError(f'{where}: {entry!s:.80} has no images')
    return images


def _existing(entry: str, root: Path, where: str) -> Path:
    entry = entry.replace('\\', '/')
    # Roboflow writes ../train/images and puts the folder beside data.yaml; Ultralytics finds it there too
    candidates = [root / entry, root / entry.removeprefix('../')]
    for candidate in candidates:
        if os.path.exists(candidate):  # Path.exists raises where a name is too long
            return candidate.resolve()
    raise InputError(f'{where}: {candidates[0]!s:.300} does not exist; correct it, or "path" of the same file')


def _listed(file: Path) -> list[Path]:
    """Images that a text file lists, each relative to the text file's folder."""
    try:
        lines = file.read_text(encoding='utf-8-sig').splitlines()
    except (OSError, ValueError) as error:
        raise InputError(f'list of images {file} cannot be read: {getattr(error, "strerror", error)}') from None
    return [(file.parent / line.strip().replace('\\', '/')).resolve() for line in lines if line.strip()]


def _found(folder: Path) -> list[Path]:
    return sorted(one for one in folder.rglob('*') if one.suffix.lower() in IMAGE_SUFFIXES)


def _classes(names: Any, count: Any, path: Path) -> dict[int, str]:
    if names is None and type(count) is int and 0 < count <= MOST_CLASSES:  # as Ultralytics calls them
        return {number: f'class_{number}' for number in range(count)}
    if isinstance(names, list) and names:
        return {number: str(name) for number, name in enumerate(names)}
    if isinstance(names, dict) and names and all(str(number).isdecimal() for number in names):
        return {int(number): str(name) for number, name in names.items()}
    raise InputError(f'{path}: names is {names!r:.40}; the name of each class is expected, such as "names: [person]"')


def _keypoint_names(given: Any, classes: dict[int, str], count: int, path: Path) -> list[str]:
    if given is None:
        return [f'keypoint_{k}' for k in range(count)]
    lists = list(given.values()) if isinstance(given, dict) else given
    lists = [lists] if isinstance(lists, list) and all(isinstance(one, str) for one in lists) else lists
    if not (isinstance(lists, list) and lists and all(isinstance(one, list) for one in lists)):
        raise InputError(f'{path}: kpt_names is {given!r:.40}; a list of names for each class is expected')
    if any(one != lists[0] for one in lists):
        raise InputError(
            f'{path}: kpt_names of the classes {", ".join(classes.values())} differ; name the keypoints that they '
            'share with --keypoint-names'
        )
    return [str(name) for name in lists[0]]


def _mirrored(flip_idx: Any, count: int, path: Path) -> list[int] | None:
    if not flip_idx:
        return None
    known = isinstance(flip_idx, list) and all(isinstance(k, int) for k in flip_idx)
    if not known or sorted(flip_idx) != list(range(count)):
        raise InputError(f'{path}: flip_idx is {flip_idx!r:.60}; the numbers 0 to {count - 1} are expected, each once')
    wrong = next((k for k, other in enumerate(flip_idx) if flip_idx[other] != k), None)
    if wrong is not None:
        other = flip_idx[wrong]
        raise InputError(f'{path}: flip_idx sends {wrong} to {other}, but {other} to {flip_idx[other]}; pair them')
    return flip_idx
