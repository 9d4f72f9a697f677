"""Image files to arrays, with the pixels that MMPose's ``LoadImage`` gives.

OpenCV decodes. Depending on its version it returns what is left of a truncated file, so that the ends of JPEG and PNG
files are looked for first; it forgets the rotation of WebP and darkens TIFF by its alpha, which Pillow reads instead.
"""

from __future__ import annotations

import io
import os

import cv2
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from mmtranspose.errors import InputError

JPEG, PNG, TIFF = (b'\xff\xd8\xff',), (b'\x89PNG\r\n\x1a\n',), (b'II*\0', b'MM\0*')
JPEG_END, JPEG_SCAN = b'\xff\xd9', b'\xff\xda'
PNG_END = b'IEND\xae\x42\x60\x82'
WEBP_HAS_EXIF = 0x08  # in the flags of its VP8X header
CUT_OFF = 'is truncated: the end of the file is missing'


class UnreadableImage(InputError):
    """A file that holds no image, or only part of one.

    Args:
        path (str | os.PathLike): The file.
        reason (str): What is wrong, to be read after its name: ``'is empty (0 bytes)'``.
        link (str): What the message has between the two.
    """

    def __init__(self, path: str | os.PathLike, reason: str, link: str = ''):
        self.reason = reason
        super().__init__(f'image {path} {link}{reason}')


def read_image(path: str | os.PathLike) -> np.ndarray:
    """An image as (h, w, 3), BGR, uint8, upright.

    Grey becomes three channels, 16 bits become 8, alpha is dropped, CMYK is converted, EXIF rotation is applied.

    Args:
        path (str | os.PathLike): A file of any format that OpenCV reads.

    Raises:
        InputError: The file is missing, empty or truncated, holds no image that can be decoded, or an image too
            large for OpenCV (2^30 pixels). It is an :class:`UnreadableImage`, which has the ``reason`` alone.
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


class _Refused(Exception):
    pass


def _decode(data: bytes) -> np.ndarray:
    if not data:
        raise _Refused('is empty (0 bytes)')
    if data.startswith(JPEG) and not _jpeg_ends(data) or data.startswith(PNG) and PNG_END not in data:
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
    """Whether an end marker follows the first scan. Thumbnails in the header have end markers of their own."""
    at = 2
    while data[at : at + 1] == b'\xff' and data[at + 1 : at + 2] not in (JPEG_SCAN[1:], b'\xff'):
        at += 2 + int.from_bytes(data[at + 2 : at + 4], 'big')
    return data.find(JPEG_END, at) >= 0


def _is_webp_with_exif(data: bytes) -> bool:
    return data[:4] == b'RIFF' and data[8:16] == b'WEBPVP8X' and len(data) > 20 and bool(data[20] & WEBP_HAS_EXIF)


def _by_pillow(data: bytes, kind: str) -> np.ndarray | None:
    try:
        with Image.open(io.BytesIO(data), formats=[kind]) as picture:
            upright = ImageOps.exif_transpose(picture).convert('RGB')
    except (OSError, ValueError, Image.DecompressionBombError):
        return None
    return np.ascontiguousarray(np.asarray(upright)[:, :, ::-1])


def _tiff_by_pillow(data: bytes) -> np.ndarray | None:
    """A TIFF's pixels where OpenCV would get them wrong, else None; OpenCV fills missing strips with nothing."""
    try:
        with Image.open(io.BytesIO(data), formats=['TIFF']) as picture:
            picture.load()
            alpha = picture.mode in ('RGBA', 'LA', 'PA')
    except (UnidentifiedImageError, Image.DecompressionBombError, ValueError):
        return None  # a kind of TIFF that only OpenCV may know
    except OSError as error:
        if 'truncated' in str(error) or 'decoder error' in str(error):
            raise _Refused('is truncated or damaged') from None
        return None
    return _by_pillow(data, 'TIFF') if alpha else None
