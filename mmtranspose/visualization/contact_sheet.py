"""Arrange images in rows on one sheet."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from mmtranspose.errors import InputError

BACKGROUND = 32


def contact_sheet(images: Sequence[np.ndarray], columns: int = 4, cell: tuple[int, int] = (320, 320)) -> np.ndarray:
    """Arrange images in rows of ``columns``, each fitted into a cell on dark grey.

    Args:
        images (Sequence[np.ndarray]): (h, w, 3), BGR, uint8, of any size.
        columns (int): Number of cells in a row.
        cell (tuple[int, int]): (w, h) of a cell in pixels.

    Returns:
        np.ndarray: (h, w, 3), BGR, uint8.

    Raises:
        InputError: There are no images.
    """
    if not images:
        raise InputError('contact_sheet needs at least one image')
    cells = [_fit(image, cell) for image in images]
    cells += [np.full_like(cells[0], BACKGROUND)] * (-len(cells) % columns)
    return np.vstack([np.hstack(cells[i : i + columns]) for i in range(0, len(cells), columns)])


def _fit(image: np.ndarray, cell: tuple[int, int]) -> np.ndarray:
    h, w = image.shape[:2]
    scale = min(cell[0] / w, cell[1] / h)
    size = (max(1, round(w * scale)), max(1, round(h * scale)))
    image = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    left, top = (cell[0] - size[0]) // 2, (cell[1] - size[1]) // 2
    canvas = np.full((cell[1], cell[0], 3), BACKGROUND, np.uint8)
    canvas[top : top + size[1], left : left + size[0]] = image
    return canvas
