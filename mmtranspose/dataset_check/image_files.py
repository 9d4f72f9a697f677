"""Whether image files are there, decode, and have the annotated size; entries and images that are there twice."""

from __future__ import annotations

import hashlib
import os
import os.path as osp
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import numpy as np
from tqdm import tqdm

from mmtranspose.dataset_check.annotation_file import Annotations, Image
from mmtranspose.dataset_check.problems import Problem
from mmtranspose.errors import InputError
from mmtranspose.media import read_image


def choose(pictures: list[Image], most: int | None) -> list[Image]:
    """All images, or ``most`` of them spread evenly."""
    if most is None or len(pictures) <= most:
        return pictures
    return [pictures[index] for index in np.linspace(0, len(pictures) - 1, most).astype(int)]


def read_picture(picture: Image) -> tuple[Problem | None, bytes | None]:
    """Read and decode one image as training will; what is wrong with it, and a digest of its file."""
    try:
        content = Path(picture.path).read_bytes()
    except (OSError, ValueError) as error:  # ValueError: no file can have such a name
        reason = getattr(error, 'strerror', None) or error
        return Problem('image-missing', f'image {picture.id}: {picture.path} ({reason})'), None
    digest = hashlib.blake2b(content, digest_size=16).digest()
    try:
        h, w = read_image(picture.path).shape[:2]
    except InputError:
        return Problem('image-damaged', f'image {picture.id}: {picture.path} ({len(content)} bytes)'), digest
    known = np.isfinite(picture.size).all()
    if known and (w, h) != tuple(picture.size):
        said = 'x'.join(f'{value:g}' for value in picture.size)
        return Problem('image-size', f'image {picture.id}: {picture.path} is {w}x{h}, not {said}'), digest
    return None, digest


def check_images(
    pictures: list[Image], num_workers: int | None = None, title: str = 'images', progress: bool = False
) -> tuple[list[Problem], dict[str, bytes]]:
    """Read images in parallel; none is kept.

    Args:
        images (list[Image]): What to read.
        num_workers (int | None): Threads (OpenCV decodes outside Python's lock); None: one for each core.
        title (str): Of the progress bar.
        progress (bool): Show one.

    Returns:
        tuple: The problems, in order, and the digest of every file that is there, by path.
    """
    workers = num_workers or os.cpu_count() or 1
    with ThreadPoolExecutor(workers) as pool:
        try:
            bar = tqdm(
                pool.map(read_picture, pictures), total=len(pictures), desc=title, unit='image', disable=not progress
            )
            results = list(bar)
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    problems = [problem for problem, _ in results if problem]
    return problems, {picture.path: digest for picture, (_, digest) in zip(pictures, results) if digest}


def check_duplicates(found: Annotations) -> Iterator[Problem]:
    """Ids of images and of annotations, and files of images, are there once."""
    ids = Counter(picture.id for picture in found.pictures)
    files = Counter(picture.path for picture in found.pictures)
    for kind, what, counts in (
        ('duplicate-id', 'image id', ids),
        ('duplicate-id', 'annotation id', Counter(found.ids)),
        ('duplicate-file', 'file_name', files),
    ):
        for value, count in counts.items():
            if count > 1:
                yield Problem(kind, f'{what} {value}: {count} times')


def check_leak(train: list[Image], other: list[Image]) -> Iterator[Problem]:
    """No file is in both the training split and another. Ids tell nothing: many datasets number each split from 1."""
    trained = {_real(picture.path) for picture in train}
    for picture in other:
        if _real(picture.path) in trained:
            yield Problem('leak', picture.path)


def check_copies(train: dict[str, bytes], other: dict[str, bytes]) -> Iterator[Problem]:
    """No image of another split is a copy of one in training.

    Args:
        train (dict[str, bytes]): The training split's files to their digests.
        other (dict[str, bytes]): Another split's.
    """
    trained = {digest: path for path, digest in train.items()}
    real = {_real(path) for path in train}
    for path, digest in other.items():
        if digest in trained and _real(path) not in real:
            yield Problem('leak-copy', f'{path} is {trained[digest]}')


def check_same_images(digests: dict[str, bytes]) -> Iterator[Problem]:
    """No image of a split is there under two names."""
    first: dict[bytes, str] = {}
    for path, digest in digests.items():
        if first.setdefault(digest, path) != path:
            yield Problem('duplicate-image', f'{path} is {first[digest]}')


@cache
def _real_folder(path: str) -> str:
    try:
        return osp.realpath(path)
    except ValueError:  # no folder can have such a name
        return path


def _real(path: str) -> str:
    """The path with links of folders followed; links of single files would cost a look at each."""
    return osp.join(_real_folder(osp.dirname(path)), osp.basename(path))
