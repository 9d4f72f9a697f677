"""Say what a file is that OpenCV cannot decode: a GIF, an image of a format such as AVIF or HEIC, a video, a document.

Such a file is whole, so it must not be called damaged. Its first bytes tell, whatever its name says.
"""

from __future__ import annotations

import io

from PIL import Image

CONVERT = 'convert it to PNG or JPEG'
AS_VIDEO = 'is a video: `mmtranspose infer` takes it under a name that ends in {}; to use one frame, save it as PNG'
GIF = (b'GIF87a', b'GIF89a')
BRANDS = {  # of ISO's base media file format, at byte 8, after 'ftyp'
    **dict.fromkeys((b'avif', b'avis'), 'AVIF'),
    **dict.fromkeys((b'heic', b'heix', b'hevc', b'hevx', b'heim', b'heis', b'mif1', b'msf1'), 'HEIC'),
}
BEGINNINGS = {
    b'\0\0\0\x0cJXL \r\n\x87\n': 'JPEG XL',
    b'\xff\x0a': 'JPEG XL',
    b'8BPS': 'PSD',
    b'\0\0\x01\0': 'ICO',
    b'icns': 'ICNS',
    b'DDS ': 'DDS',
    b'%PDF': 'PDF',
    b'%!PS': 'PostScript',
    b'FUJIFILMCCD-RAW': 'RAF (raw)',
    b'<svg': 'SVG',
}
SEARCHED = 512  # bytes, for the beginning of an SVG after its XML header


def foreign_format(data: bytes) -> str | None:
    """Say of a file that OpenCV does not decode what it is and what to do, if its first bytes tell.

    Args:
        data (bytes): The whole file, or its first 512 bytes; of a GIF only the whole file tells the number of frames.

    Returns:
        str | None: Words that follow the file's name: ``'is in AVIF format, which is not read: convert it to PNG or
        JPEG'``; None where nothing is known of the file.
    """
    if data.startswith(GIF):
        return _gif(data)
    if data[4:8] == b'ftyp' and data[8:12] not in BRANDS:
        return AS_VIDEO.format('.mp4')
    if data.startswith(b'\x1a\x45\xdf\xa3'):
        return AS_VIDEO.format('.mkv')
    if data[:4] == b'RIFF' and data[8:12] == b'AVI ':
        return AS_VIDEO.format('.avi')
    kind = BRANDS.get(data[8:12]) if data[4:8] == b'ftyp' else _beginning(data)
    return None if kind is None else f'is in {kind} format, which is not read: {CONVERT}'


def _beginning(data: bytes) -> str | None:
    known = (kind for beginning, kind in BEGINNINGS.items() if data.startswith(beginning))
    header = data[:SEARCHED].lstrip(b'\xef\xbb\xbf \r\n\t')
    is_svg = header.startswith((b'<?xml', b'<!--', b'<!DOCTYPE svg')) and b'<svg' in header
    return next(known, 'SVG' if is_svg else None)


def _gif(data: bytes) -> str:
    try:
        with Image.open(io.BytesIO(data), formats=['GIF']) as opened:
            frames = getattr(opened, 'n_frames', 1)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        frames = 1
    kind = f'an animated GIF of {frames} frames' if frames > 1 else 'a GIF'
    return (
        f'is {kind}, which is read as a video only: `mmtranspose infer` takes it under a name that ends in .gif; to '
        'use one frame as an image, save it as PNG'
    )
