"""Images side by side, and images into files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from mmengine.fileio import put

BACKGROUND = 32


def contact_sheet(images: Sequence[np.ndarray], columns: int = 4, cell: tuple[int, int] = (320, 320)) -> np.ndarray:
    """Images in rows of ``columns``, each fitted into a cell (w, h) on dark grey.

    Args:
        images (Sequence[np.ndarray]): (h, w, 3), BGR, uint8, of any size.
        columns (int): Cells in a row.
        cell (tuple[int, int]): (w, h) in pixels.

    Returns:
        np.ndarray: BGR, uint8.

    Raises:
        ValueError: There are no images.
    """
    if not images:
        raise ValueError('contact_sheet needs at least one image')
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


def write_image(path: str | Path, image: np.ndarray) -> None:
    """Write an image (BGR, uint8) in the format of the file's ending: beside it first, then renamed.

    Raises:
        OSError: The folder or file cannot be written, or the ending names no image format.
    """
    path = Path(path)
    try:
        done, data = cv2.imencode(path.suffix, image)
    except cv2.error:
        done = False
    if not done:
        h, w = image.shape[:2]
        raise OSError(f'{path}: an image of {w} x {h} pixels cannot be written as {path.suffix!r}; use .png or .jpg')
    put(data.tobytes(), str(path))
