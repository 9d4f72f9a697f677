"""Open the image that a visitor uploads, and list the examples to choose from."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from mmtranspose.errors import InputError
from mmtranspose.media import read_image
from mmtranspose.media.foreign_formats import foreign_format
from mmtranspose.media.inputs import IMAGE_SUFFIXES, known_files, suffix_of
from mmtranspose.typing import PathLike

LONGEST = 1600  # longer side of the image that a session holds, in pixels
MOST_PIXELS = 64_000_000  # of a file that is decoded: 192 MB
MOST_EXAMPLES = 24
START = 512  # bytes that tell a format which is not decoded


def open_image(path: PathLike) -> np.ndarray:
    """Read an image, and shrink it if its longer side is longer than 1600 pixels.

    Args:
        path (PathLike): The image file.

    Returns:
        np.ndarray: (h, w, 3), BGR, uint8.

    Raises:
        InputError: The file holds no image that can be decoded, or one of more than 64 million pixels. The message
            names the file without its folder, because visitors see it.
    """
    path = Path(path)
    try:
        _require_modest(path)
        image = read_image(path)
    except InputError as error:
        raise InputError(str(error).replace(str(path), path.name)) from None
    scale = LONGEST / max(image.shape[:2])
    if scale >= 1:
        return image
    size = [max(1, round(side * scale)) for side in image.shape[1::-1]]
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def _require_modest(path: Path) -> None:
    """Refuse, before it is decoded, an image that would take too much memory or whose header does not tell its size."""
    try:
        with Image.open(path) as header:
            width, height = header.size
    except (OSError, SyntaxError, ValueError):
        with path.open('rb') as file:
            start = file.read(START)
        if not start or foreign_format(start) is not None:
            return  # the decoder says so
        raise InputError(f'{path} cannot be decoded: it is damaged, truncated or not an image') from None
    except Image.DecompressionBombError:
        width = height = MOST_PIXELS
    if width * height > MOST_PIXELS:
        raise InputError(f'{path} has more than {MOST_PIXELS // 10**6} million pixels; make it smaller')


def folder_images(folder: PathLike) -> list[Path]:
    """List the first 24 images in a folder, in natural order.

    Raises:
        InputError: The folder does not exist or holds no image.
    """
    if not Path(folder).is_dir():
        raise InputError(f'folder {folder} does not exist')
    found = [path for path in map(str, Path(folder).iterdir()) if suffix_of(path) in IMAGE_SUFFIXES]
    if not found:
        raise InputError(f'folder {folder} holds no image')
    return [Path(path) for path in known_files(found)[:MOST_EXAMPLES]]
