"""Images that are decoded once for all of their boxes."""

from __future__ import annotations

import os

import numpy as np
from mmpose.datasets.transforms import LoadImage
from mmpose.registry import TRANSFORMS


@TRANSFORMS.register_module()
class CachedLoadImage(LoadImage):
    """MMPose's :class:`LoadImage`, which keeps the last image: the boxes of one image follow one another.

    Meant for evaluation, where a sample is a box and samples are not shuffled; a worker of a data loader is given whole
    batches of them. A file that was written anew (another size or time) is read anew, and what lies elsewhere than on
    disk is not kept. The image is shared by its boxes and therefore read-only: a later step that changes images
    in place (``YOLOXHSVRandomAug``) raises, and needs :class:`LoadImage`.

    Args:
        **kwargs: As in ``LoadImage``.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self._last: tuple[tuple, np.ndarray] | None = None

    def transform(self, results: dict) -> dict | None:
        """As ``LoadImage``; ``img`` is (h, w, 3), BGR."""
        if 'img' in results:
            return super().transform(results)
        version = _version(results['img_path'])
        if version is not None and self._last is not None and self._last[0] == version:
            results['img'] = self._last[1]
            return super().transform(results)
        self._last = None
        results = super().transform(results)
        if results is not None and version is not None:
            results['img'].setflags(write=False)
            self._last = version, results['img']
        return results


def _version(path: str) -> tuple | None:
    """Names a file as it is now; None if there is none of that name on disk."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return os.fspath(path), found.st_mtime_ns, found.st_size, found.st_ino
