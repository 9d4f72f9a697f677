"""Read image files, with the pixels that MMPose's ``LoadImage`` gives, and write them.

OpenCV decodes. Depending on its version, OpenCV returns the readable part of a truncated file without an error, so the
end markers of JPEG, JPEG 2000 and PNG files are looked for first. OpenCV also ignores the EXIF rotation of WebP files
and darkens TIFF files by their alpha channel; Pillow reads those files instead. Files of floating-point, signed or
32-bit values do not say which value is white, and OpenCV would cut them off at 255 or call them damaged: they are
refused.
"""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageOps, TiffImagePlugin, UnidentifiedImageError

from mmtranspose.errors import InputError
from mmtranspose.files.output_paths import partial_file
from mmtranspose.media.foreign_formats import GIF, foreign_format
from mmtranspose.media.frame import Frame, Unreadable
from mmtranspose.typing import PathLike

JPEG, PNG = (b'\xff\xd8\xff',), (b'\x89PNG\r\n\x1a\n',)
BIG_TIFF = (b'II+\0', b'MM\0+')
TIFF = (b'II*\0', b'MM\0*', *BIG_TIFF)
BITS, COMPRESSION, SAMPLE_FORMAT, LOGARITHMIC = 258, 259, 339, (34676, 34677)  # tags of TIFF; values of one
FLOATING = (b'#?RADIANCE', b'#?RGBE', b'v/1\x01', b'PF\n', b'Pf\n')  # Radiance HDR, OpenEXR, PFM
JPEG_END, JPEG_SCAN = b'\xff\xd9', b'\xff\xda'
JPEG_2000_SCAN = b'\xff\x4f\xff\x51'  # where the codestream begins, which ends as a JPEG does
JPEG_2000 = (JPEG_2000_SCAN, b'\0\0\0\x0cjP  \r\n\x87\n')
PNG_END = b'IEND\xae\x42\x60\x82'
WEBP_HAS_EXIF = 0x08  # in the flags of its VP8X header
NO_WHITE = 'holds {} values, of which none is known to be white; save it with 8 or 16 bits a channel'
DARK = 16  # of 255: 12 bits in a file of 16 do not reach it
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
            too large for OpenCV (2^30 pixels) or values of which none is known to be white. This is an
            :class:`InputError`.
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


def write_animation(path: PathLike, frames: Sequence[np.ndarray], durations: Sequence[int]) -> None:
    """Write frames as a GIF that repeats for ever; the file is written whole or not at all.

    Args:
        path (PathLike): The file, of suffix ``.gif``; missing folders are made.
        frames (Sequence[np.ndarray]): (h, w, 3), BGR, uint8, all of one size; at least one.
        durations (Sequence[int]): How long each frame is shown, in milliseconds; a GIF rounds to hundredths.

    Raises:
        OSError: The folder or file cannot be written.
    """
    images = [Image.fromarray(np.ascontiguousarray(frame[..., ::-1])) for frame in frames]
    # One palette for all frames: what stands still keeps its colours.
    few = [image.reduce(2) for image in images[:: len(images) // 16 + 1]]
    together = Image.new('RGB', (few[0].width, few[0].height * len(few)))
    for number, image in enumerate(few):
        together.paste(image, (0, number * image.height))
    palette = together.quantize(256, Image.Quantize.MAXCOVERAGE)
    images = [image.quantize(palette=palette) for image in images]
    with partial_file(path) as partial, open(partial, 'wb') as file:
        images[0].save(
            file, 'GIF', save_all=True, append_images=images[1:], duration=list(durations), loop=0, disposal=1
        )


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
    if _is_cut_off(data):
        raise _Refused(CUT_OFF)
    if data.startswith(GIF):  # some versions of OpenCV read its first frame
        raise _Refused(foreign_format(data))
    if data.startswith(JPEG_2000):
        _require_sound(data)
    if data.startswith(FLOATING):
        raise _Refused(NO_WHITE.format('floating-point'))
    if data.startswith(TIFF):
        _require_known_white(data)
        image = _tiff_by_pillow(data)
    else:
        image = _by_pillow(data, 'WEBP') if _is_webp_with_exif(data) else None
    image = _by_opencv(data) if image is None else image
    if image is None:
        raise _Refused(foreign_format(data) or 'is damaged, truncated or not an image')
    if image.max() < DARK:
        _require_8_bits(data)
    return image


def _require_8_bits(data: bytes) -> None:
    """Check that an image is dark because it is, and not because its 16 bits hold values of fewer bits."""
    values = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if values is not None and values.dtype == np.uint16 and values.any():
        raise _Refused(f'holds 16-bit values that go up to {values.max()} of 65535 only; save it with 8 bits a channel')


def _by_opencv(data: bytes) -> np.ndarray | None:
    try:
        return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        if 'CV_IO_MAX_IMAGE' in error.err:
            raise _Refused('has more pixels than OpenCV reads (2^30); make it smaller') from None
        raise _Refused(f'is damaged ({error.err})') from None


def _is_cut_off(data: bytes) -> bool:
    """Whether the end marker of the file's format is missing."""
    if data.startswith(JPEG):
        return not _jpeg_ends(data)
    if data.startswith(PNG):
        return PNG_END not in data
    return data.startswith(JPEG_2000) and data.find(JPEG_END, data.find(JPEG_2000_SCAN)) < 0


def _require_sound(data: bytes) -> None:
    """Check a JPEG 2000 by Pillow: one that is damaged may crash the process inside OpenCV (seen in 4.11).

    Raises:
        _Refused: It cannot be decoded.
    """
    try:
        with Image.open(io.BytesIO(data), formats=['JPEG2000']) as opened:
            opened.load()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise _Refused(f'is damaged, truncated, or larger than Pillow reads ({error})') from None


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


def _tiff_tags(data: bytes) -> Mapping[int, Any]:
    """The tags of a TIFF file's first image; none where they cannot be read."""
    file = io.BytesIO(data)
    try:
        tags = TiffImagePlugin.ImageFileDirectory_v2(file.read(16 if data.startswith(BIG_TIFF) else 8))
        file.seek(tags.next)
        tags.load(file)
        return {tag: tags[tag] for tag in (BITS, SAMPLE_FORMAT, COMPRESSION) if tag in tags}
    except (OSError, SyntaxError, ValueError, TypeError, KeyError, OverflowError, struct.error):
        return {}


def _require_known_white(data: bytes) -> None:
    """Check that the values of a TIFF file go from black to white.

    Raises:
        _Refused: They are floating-point or signed numbers, have more than 16 bits, or are logarithms.
    """
    tags = _tiff_tags(data)
    bits, kinds = np.max(tags.get(BITS, 1)), np.unique(tags.get(SAMPLE_FORMAT, 1))
    if tags.get(COMPRESSION) in LOGARITHMIC:
        raise _Refused(NO_WHITE.format('logarithmic'))
    for number, kind in ((2, 'signed'), (3, 'floating-point'), (5, 'complex'), (6, 'complex')):
        if number in kinds:
            raise _Refused(NO_WHITE.format(f'{bits}-bit {kind}'))
    if bits > 16:
        raise _Refused(NO_WHITE.format(f'{bits}-bit'))


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
