"""Where a crop lies in its image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from mmengine.config import ConfigDict
from mmpose.registry import TRANSFORMS

from mmtranspose.datasets.transforms import UnbiasedTopdownAffine


def cuts_udp(pipeline: Sequence[ConfigDict]) -> bool:
    """Whether a pipeline's crops span their box from first to last pixel (UDP), not from edge to edge."""
    return any(step.get('use_udp', False) or TRANSFORMS.get(step['type']) is UnbiasedTopdownAffine for step in pipeline)


def crop_to_image(center: np.ndarray, scale: np.ndarray, input_size: tuple[int, int], udp: bool) -> np.ndarray:
    """The exact inverse of the affine by which MMPose's ``TopdownAffine`` cut an unrotated crop.

    Args:
        center (np.ndarray): (2,), ``input_center``, in pixels of the image.
        scale (np.ndarray): (2,), ``input_scale`` (w, h), in pixels of the image.
        input_size (tuple[int, int]): (w, h) of the crop.
        udp (bool): The crop's first and last pixels, not its edges, span ``scale`` (``use_udp=True``).

    Returns:
        np.ndarray: (2, 3), from (x, y) in pixels of the crop to pixels of the image.
    """
    center, scale, size = (np.asarray(value, float).reshape(2) for value in (center, scale, input_size))
    if udp:
        factor = scale / (size - 1)
        return np.column_stack([np.diag(factor), center - scale / 2])
    factor = np.full(2, scale[0] / size[0])
    return np.column_stack([np.diag(factor), center - factor * size / 2])
