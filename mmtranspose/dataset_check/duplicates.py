"""Entries, files and images that are there twice."""

from __future__ import annotations

import os.path as osp
from collections import Counter
from collections.abc import Iterator
from functools import cache

from mmtranspose.dataset_check.annotation_file import Annotations, Image
from mmtranspose.dataset_check.problems import Problem


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
