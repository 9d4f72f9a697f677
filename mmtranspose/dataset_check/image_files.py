"""Check image files: they exist, decode, have the annotated size, and no image or entry occurs twice."""

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

from mmtranspose.dataset_check.annotations import AnnotatedImage, Annotations
from mmtranspose.dataset_check.problems import Problem
from mmtranspose.errors import InputError
from mmtranspose.media import read_image


def spread_evenly(images: list[AnnotatedImage], most: int | None) -> list[AnnotatedImage]:
    """Choose ``most`` images, spread evenly over the list; all of them if ``most`` is None or larger."""
    if most is None or len(images) <= most:
        return images
    return [images[index] for index in np.linspace(0, len(images) - 1, most).astype(int)]


def check_images(
    images: list[AnnotatedImage], num_workers: int | None = None, title: str = 'images', progress: bool = False
) -> tuple[list[Problem], dict[str, bytes]]:
    """Read images in parallel, and keep none of them.

    Args:
        images (list[AnnotatedImage]): The images to read.
        num_workers (int | None): Threads (OpenCV decodes outside Python's lock); None: one for each core.
        title (str): Title of the progress bar.
        progress (bool): Show a progress bar.

    Returns:
        tuple: The problems, in order, and the digest of every file that exists, by path.
    """
    with ThreadPoolExecutor(num_workers or os.cpu_count() or 1) as pool:
        try:
            checked = pool.map(check_image, images)
            results = list(tqdm(checked, total=len(images), desc=title, unit='image', disable=not progress))
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    problems = [problem for problem, _ in results if problem]
    return problems, {image.path: digest for image, (_, digest) in zip(images, results) if digest}


def check_image(image: AnnotatedImage) -> tuple[Problem | None, bytes | None]:
    """Read and decode one image as training will; returns the problem, if any, and a digest of the file."""
    try:
        content = Path(image.path).read_bytes()
    except (OSError, ValueError) as error:  # ValueError: no file can have such a name
        reason = getattr(error, 'strerror', None) or error
        return Problem('image-missing', f'image {image.id}: {image.path} ({reason})'), None
    digest = hashlib.blake2b(content, digest_size=16).digest()
    try:
        h, w = read_image(image.path).shape[:2]
    except InputError:
        return Problem('image-damaged', f'image {image.id}: {image.path} ({len(content)} bytes)'), digest
    if np.isfinite(image.size).all() and (w, h) != tuple(image.size):
        annotated = 'x'.join(f'{value:g}' for value in image.size)
        return Problem('image-size', f'image {image.id}: {image.path} is {w}x{h}, not {annotated}'), digest
    return None, digest


def check_duplicates(found: Annotations) -> Iterator[Problem]:
    """Check that ids of images, ids of annotations, and file names of images are unique in an annotation file."""
    for kind, what, counts in (
        ('duplicate-id', 'image id', Counter(image.id for image in found.images)),
        ('duplicate-id', 'annotation id', Counter(person.id for person in found.people)),
        ('duplicate-file', 'file_name', Counter(image.path for image in found.images)),
    ):
        for value, count in counts.items():
            if count > 1:
                yield Problem(kind, f'{what} {value}: {count} times')


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
