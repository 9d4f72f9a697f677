"""Read image files, with the pixels that MMPose's ``LoadImage`` gives, and write them.

OpenCV decodes. Depending on its version, OpenCV returns the readable part of a truncated file without an error, so the
end markers of JPEG and PNG files are looked for first. OpenCV also ignores the EXIF rotation of WebP files and darkens
TIFF files by their alpha channel; Pillow reads those files instead.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from mmtranspose.errors import InputError
from mmtranspose.files.output_paths import partial_file
from mmtranspose.media.frame import Frame, Unreadable
from mmtranspose.typing import PathLike

JPEG, PNG, TIFF = (b'\xff\xd8\xff',), (b'\x89PNG\r\n\x1a\n',), (b'II*\0', b'MM\0*')
JPEG_END, JPEG_SCAN = b'\xff\xd9', b'\xff\xda'
PNG_END = b'IEND\xae\x42\x60\x82'
WEBP_HAS_EXIF = 0x08  # in the flags of its VP8X header
CUT_OFF = 'is truncated: the end of the file is missing'


class UnreadableImage(InputError):
    """A file holds no image, or only a part of one.

    Args:
        path (PathLike): The file.
        reason (str): What is wrong, worded to follow the file's name: ``'is empty (0 bytes)'``.
        link (str): Words between the file's name and the reason.
    """

    def __init__(self, path: PathLike, reason: str, link: str = ''):
        self.reason = reason
        super().__init__(f'image {path} {link}{reason}')


def read_image(path: PathLike) -> np.ndarray:
    """Read an image file as an upright (h, w, 3), BGR, uint8 array.

    Grey becomes three channels, 16 bits become 8, alpha is dropped, CMYK is converted, EXIF rotation is applied.

    Args:
        path (PathLike): A file of any format that OpenCV reads.

    Raises:
        UnreadableImage: The file is missing, empty or truncated, holds no image that can be decoded, or holds an image
            too large for OpenCV (2^30 pixels). This is an :class:`InputError`.
    """
    if not os.path.isfile(path):
        raise UnreadableImage(path, 'is a folder' if os.path.isdir(path) else 'does not exist')
    try:
        with open(path, 'rb') as file:
            data = file.read()
        return _decode(data)
    except _Refused as refused:
        raise UnreadableImage(path, str(refused), 'cannot be decoded: it ') from None
    except OSError as error:
        raise UnreadableImage(path, f'cannot be read: {error.strerror or error}') from error


def write_image(path: PathLike, image: np.ndarray) -> None:
    """Write an image in the format of the file's suffix; the file is written whole or not at all.

    Args:
        path (PathLike): The file; missing folders are made.
        image (np.ndarray): (h, w, 3), BGR, uint8.

    Raises:
        OSError: The folder or file cannot be written, or the suffix names no image format.
    """
    path = Path(path)
    try:
        done, data = cv2.imencode(path.suffix, image)
    except cv2.error:
        done = False
    if not done:
        h, w = image.shape[:2]
        raise OSError(f'{path}: an image of {w} x {h} pixels cannot be written as {path.suffix!r}; use .png or .jpg')
    with partial_file(path) as partial:
        partial.write_bytes(data.tobytes())


class ImageInput:
    """One image file, read when its turn comes.

    Args:
        path (str): The file.
    """

    length = 1
    live = moving = False

    def __init__(self, path: str):
        self.path = path

    def read(self, image_numbers: Iterator[int]) -> Iterator[Frame | Unreadable]:
        """Yield the image, numbered by the next of ``image_numbers``."""
        index = next(image_numbers)
        try:
            yield Frame(read_image(self.path), self.path, index, self.path, None)
        except UnreadableImage as error:
            yield Unreadable(self.path, error.reason)

    def close(self) -> None:
        """Do nothing: no file stays open."""


class _Refused(Exception):
    """The data cannot be decoded; the text is the reason."""


def _decode(data: bytes) -> np.ndarray:
    if not data:
        raise _Refused('is empty (0 bytes)')
    if (data.startswith(JPEG) and not _jpeg_ends(data)) or (data.startswith(PNG) and PNG_END not in data):
        raise _Refused(CUT_OFF)
    if data.startswith(TIFF):
        image = _tiff_by_pillow(data)
    else:
        image = _by_pillow(data, 'WEBP') if _is_webp_with_exif(data) else None
    image = _by_opencv(data) if image is None else image
    if image is None:
        raise _Refused('is damaged, truncated or no image')
    return image


def _by_opencv(data: bytes) -> np.ndarray | None:
    try:
        return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        if 'CV_IO_MAX_IMAGE' in error.err:
            raise _Refused('has more pixels than OpenCV reads (2^30); make it smaller') from None
        raise _Refused(f'is damaged ({error.err})') from None


def _jpeg_ends(data: bytes) -> bool:
    """Whether an end marker follows the first scan; a thumbnail in the header has an end marker of its own."""
    at = 2
    while data[at : at + 1] == b'\xff' and data[at + 1 : at + 2] not in (JPEG_SCAN[1:], b'\xff'):
        at += 2 + int.from_bytes(data[at + 2 : at + 4], 'big')
    return data.find(JPEG_END, at) >= 0


def _is_webp_with_exif(data: bytes) -> bool:
    return data[:4] == b'RIFF' and data[8:16] == b'WEBPVP8X' and len(data) > 20 and bool(data[20] & WEBP_HAS_EXIF)


def _by_pillow(data: bytes, kind: str) -> np.ndarray | None:
    try:
        with Image.open(io.BytesIO(data), formats=[kind]) as opened:
            upright = ImageOps.exif_transpose(opened).convert('RGB')
    except (OSError, ValueError, Image.DecompressionBombError):
        return None
    return np.ascontiguousarray(np.asarray(upright)[:, :, ::-1])


def _tiff_by_pillow(data: bytes) -> np.ndarray | None:
    """Pixels of a TIFF file that OpenCV would get wrong, else None.

    Raises:
        _Refused: Strips are missing, which OpenCV would leave black without an error.
    """
    try:
        with Image.open(io.BytesIO(data), formats=['TIFF']) as opened:
            opened.load()
            alpha = opened.mode in ('RGBA', 'LA', 'PA')
    except (UnidentifiedImageError, Image.DecompressionBombError, ValueError):
        return None  # a kind of TIFF that only OpenCV may know
    except OSError as error:
        if 'truncated' in str(error) or 'decoder error' in str(error):
            raise _Refused('is truncated or damaged') from None
        return None
    return _by_pillow(data, 'TIFF') if alpha else None
