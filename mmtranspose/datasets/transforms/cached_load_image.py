"""Load an image once for all of its boxes."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from mmpose.datasets.transforms import LoadImage
from mmpose.registry import TRANSFORMS

from mmtranspose.errors import InputError


@TRANSFORMS.register_module()
class CachedLoadImage(LoadImage):
    """Load an image like MMPose's :class:`LoadImage`, and keep it for the next sample of the same image.

    Meant for evaluation, where a sample is a box, samples are not shuffled, and each worker of a data loader is given
    whole batches of them: the boxes of one image follow one another. A file that has changed (another size or time) is
    read again, and an image that is not a file on disk is not kept. The boxes of an image share its array, which is
    therefore read-only: a later step that changes images in place (``YOLOXHSVRandomAug``) raises, and needs
    :class:`LoadImage`.

    Args:
        **kwargs: As in ``LoadImage``.
    """

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self._last: tuple[tuple, np.ndarray] | None = None

    def transform(self, results: dict) -> dict | None:
        """Load ``img`` (h, w, 3), BGR, from ``img_path``; an ``img`` that is there already is taken as it is.

        Raises:
            InputError: ``img_path`` is not the path of one file, but a list of paths for example, or is no name that a
                file can have.
        """
        if 'img' in results:
            return super().transform(results)
        path = results['img_path']
        if not isinstance(path, (str, os.PathLike)):
            raise InputError(f'img_path={path!r}: CachedLoadImage loads one image, so it needs the path of one file')
        version = _version(path)
        if version is not None and self._last is not None and self._last[0] == version:
            results['img'] = self._last[1]
            return super().transform(results)
        self._last = None
        results = super().transform(results)
        if results is not None and version is not None:
            results['img'].setflags(write=False)
            self._last = version, results['img']
        return results


def _version(path: str | os.PathLike) -> tuple[str, int, int, int] | None:
    """What tells a file from another, and from itself after a change; None if there is no such file on disk."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    except ValueError as error:  # a null character, or half of a pair of surrogates
        raise InputError(f'img_path={path!r} is no name that a file can have: {error}') from None
    return os.fspath(path), found.st_mtime_ns, found.st_size, found.st_ino
