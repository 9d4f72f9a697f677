"""The turn that a video's metadata asks players for: phones store how they were held, not upright pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import av


def display_matrix(frame: av.VideoFrame) -> np.ndarray | None:
    """The matrix (3, 3) that comes with a frame, int32; None where nothing is to be turned.

    Not to be asked of every frame: PyAV's side data and its frame hold each other, so that memory grows until Python's
    garbage collector finds them.
    """
    data = frame.side_data.get('DISPLAYMATRIX')
    return None if data is None else np.frombuffer(bytes(data), np.int32).reshape(3, 3)


def upright(image: np.ndarray, matrix: np.ndarray | None) -> np.ndarray:
    """A decoded picture as players show it: turned by quarters and mirrored.

    The matrix is ((a, b, u), (c, d, v), (x, y, w)): x' = a x + c y, y' = b x + d y (ISO 14496-12, 6.2.2).

    Args:
        image (np.ndarray): (h, w, 3).
        matrix (np.ndarray | None): From :func:`display_matrix`.

    Returns:
        np.ndarray: (h, w, 3) or (w, h, 3), contiguous.
    """
    if matrix is None:
        return image
    (a, b), (c, d) = matrix[:2, :2]
    if abs(b) > abs(a):
        image, along_x, along_y = image.transpose(1, 0, 2), c, b
    else:
        along_x, along_y = a, d
    return np.ascontiguousarray(image[:: -1 if along_y < 0 else 1, :: -1 if along_x < 0 else 1])
