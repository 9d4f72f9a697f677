"""Check image files: they exist, decode, have the annotated size, and no image or entry occurs twice."""

from __future__ import annotations

import errno
import hashlib
import os
import os.path as osp
from collections import Counter
from collections.abc import Collection, Hashable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import TypeVar

import numpy as np
from tqdm import tqdm

from mmtranspose.dataset_check.annotations import AnnotatedImage, Annotations
from mmtranspose.dataset_check.problems import Problem
from mmtranspose.errors import InputError
from mmtranspose.media import read_image

Item = TypeVar('Item')


def spread_evenly(items: Sequence[Item], most: int | None) -> list[Item]:
    """Choose ``most`` items, as images, spread evenly over them; all of them if ``most`` is None or larger."""
    if most is None or len(items) <= most:
        return list(items)
    return [items[index] for index in np.linspace(0, len(items) - 1, most).astype(int)]


def check_files(found: Annotations) -> tuple[list[AnnotatedImage], list[Problem]]:
    """Check that image files exist, with one look into each folder.

    Returns:
        tuple: The images that do, and the problems.
    """
    needed, there, problems = found.predicted_image_ids, [], []
    for image in found.images:
        reason = _why_missing(image.path)
        if reason is None:
            there.append(image)
        else:
            problems.append(_of_image('image-missing', image, needed, f'({reason})'))
    _names_in.cache_clear()  # files may come and go before the next check
    return there, problems


def _why_missing(path: str) -> str | None:
    """Why a file is not there; None if it is, or if its folder cannot be listed."""
    names = _names_in(osp.dirname(path))
    if isinstance(names, str):
        return names
    return None if names is None or osp.basename(path) in names else os.strerror(errno.ENOENT)


@cache
def _names_in(folder: str) -> frozenset[str] | str | None:
    """The names in a folder, or why there is no such folder; None if it cannot be listed."""
    try:
        return frozenset(os.listdir(folder or '.'))
    except PermissionError:
        return None
    except FileNotFoundError:
        return f'there is no folder {folder}'
    except (OSError, ValueError) as error:  # ValueError: no folder can have such a name
        return str(getattr(error, 'strerror', None) or error)


def _of_image(kind: str, image: AnnotatedImage, needed: Collection[Hashable], text: str) -> Problem:
    kind = kind if image.id in needed else 'unused-image'
    return Problem(kind, f'image {image.id}: {image.path} {text}')


def check_images(
    images: list[AnnotatedImage],
    needed: Collection[Hashable],
    num_workers: int | None = None,
    title: str = 'images',
    progress: bool = False,
) -> tuple[list[Problem], dict[str, bytes]]:
    """Read images in parallel, and keep none of them.

    Args:
        images (list[AnnotatedImage]): The images to read.
        needed (Collection[Hashable]): Ids of the images that a run reads.
        num_workers (int | None): Threads (OpenCV decodes outside Python's lock); None: one for each core.
        title (str): Title of the progress bar.
        progress (bool): Show a progress bar.

    Returns:
        tuple: The problems, in order, and the digest of every file that exists, by path.
    """
    with ThreadPoolExecutor(num_workers or os.cpu_count() or 1) as pool:
        try:
            checked = pool.map(lambda image: check_image(image, needed), images)
            results = list(tqdm(checked, total=len(images), desc=title, unit='image', disable=not progress))
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    problems = [problem for problem, _ in results if problem]
    return problems, {image.path: digest for image, (_, digest) in zip(images, results) if digest}


def check_image(image: AnnotatedImage, needed: Collection[Hashable]) -> tuple[Problem | None, bytes | None]:
    """Read and decode one image as training will; returns the problem, if any, and a digest of the file."""
    try:
        content = Path(image.path).read_bytes()
    except (OSError, ValueError) as error:  # ValueError: no file can have such a name
        reason = getattr(error, 'strerror', None) or error
        return _of_image('image-missing', image, needed, f'({reason})'), None
    digest = hashlib.blake2b(content, digest_size=16).digest()
    try:
        h, w = read_image(image.path).shape[:2]
    except InputError:
        return _of_image('image-damaged', image, needed, f'({len(content)} bytes)'), digest
    if np.isfinite(image.size).all() and (w, h) != tuple(image.size):
        annotated = 'x'.join(f'{value:g}' for value in image.size)
        turned = ' (turned by its EXIF orientation?)' if (h, w) == tuple(image.size) else ''
        text = f'image {image.id}: {image.path} is {w}x{h}, not {annotated}{turned}'
        return Problem('image-size' if image.id in needed else 'unused-image', text), digest
    return None, digest


def check_twice(found: Annotations) -> Iterator[Problem]:
    """Check that no two images of an annotation file name one file."""
    for path, count in Counter(image.path for image in found.images).items():
        if count > 1:
            yield Problem('duplicate-file', f'file_name {path}: {count} times')


def check_same_images(digests: dict[str, bytes]) -> Iterator[Problem]:
    """Check that no two files of a split, given with their digests, hold the same image."""
    first: dict[bytes, str] = {}
    for path, digest in digests.items():
        if first.setdefault(digest, path) != path:
            yield Problem('duplicate-image', f'{path} is {first[digest]}')


def check_leak(train: list[AnnotatedImage], other: list[AnnotatedImage]) -> Iterator[Problem]:
    """Check that no file is in both the training split and another split.

    Ids do not tell: many datasets number the images of each split from 1.
    """
    trained = {_real(image.path) for image in train}
    for image in other:
        if _real(image.path) in trained:
            yield Problem('leak', image.path)


def check_copies(train: dict[str, bytes], other: dict[str, bytes]) -> Iterator[Problem]:
    """Check that no image of another split is a copy of one in training.

    Args:
        train (dict[str, bytes]): The training split's files with their digests.
        other (dict[str, bytes]): The other split's files with their digests.
    """
    trained = {digest: path for path, digest in train.items()}
    real = {_real(path) for path in train}
    for path, digest in other.items():
        if digest in trained and _real(path) not in real:
            yield Problem('leak-copy', f'{path} is {trained[digest]}')


def _real(path: str) -> str:
    """The path with links of folders resolved; resolving links of files would cost one disk access for each file."""
    return osp.join(_real_folder(osp.dirname(path)), osp.basename(path))


@cache
def _real_folder(path: str) -> str:
    try:
        return osp.realpath(path)
    except ValueError:  # no folder can have such a name
        return path
