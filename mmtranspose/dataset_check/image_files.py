"""Whether the files of images are there, decode, and have the size that the annotations are for."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from tqdm import tqdm

from mmtranspose.dataset_check.annotation_file import Image
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
