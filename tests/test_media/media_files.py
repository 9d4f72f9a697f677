"""Small images and videos whose content says what they are."""

from __future__ import annotations

import struct
import zlib
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

BITS, CELL = 8, 8


def smooth_image(h: int = 45, w: int = 62, seed: int = 0) -> np.ndarray:
    """A smooth image of many colours (h, w, 3), without symmetry."""
    noise = np.random.default_rng(seed).integers(0, 256, (h, w, 3), dtype=np.uint8)
    return cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 3), None, 0, 255, cv2.NORM_MINMAX)


def numbered(number: int, w: int = 64, h: int = 48) -> np.ndarray:
    """An image (h, w, 3) that carries a number as black and white cells in its first rows, over a colour."""
    image = np.full((h, w, 3), (40, 160, 90), np.uint8)
    for bit in range(BITS):
        image[:CELL, bit * CELL : (bit + 1) * CELL] = 255 * (number >> bit & 1)
    return image


def textured(number: int, w: int = 320, h: int = 240) -> np.ndarray:
    """The same over a texture that moves, for videos that need some bytes a frame."""
    image = np.roll(smooth_image(h, w), 9 * number, axis=1)
    image[:CELL, : BITS * CELL] = numbered(number)[:CELL, : BITS * CELL]
    return image


def number_of(image: np.ndarray) -> int:
    """The number that :func:`numbered` put there."""
    cells = image[:CELL, : BITS * CELL].reshape(CELL, BITS, CELL, 3).mean((0, 2, 3))
    return sum(1 << bit for bit in range(BITS) if cells[bit] > 127)


def write_video(
    path: Path,
    count: int = 20,
    codec: str = 'libx264',
    pixels: str = 'yuv420p',
    rate: Fraction = Fraction(30000, 1001),
    ticks=range(1000),
    prepare=None,
    container: dict | None = None,
    frames=numbered,
    **options: str,
) -> Path:
    """A video of ``frames(0)``, ``frames(1)``, ...; the n-th is shown at ``ticks[n]``; B-frames only when asked for."""
    if codec == 'libx264':
        options = {'bf': '0', 'g': '10', **options}
    w, h = frames(0).shape[1::-1]
    with av.open(str(path), 'w', options=container or {}) as output:
        stream = output.add_stream(codec, rate=rate, options=options)
        stream.width, stream.height, stream.pix_fmt = w, h, pixels
        if prepare:
            prepare(stream)
        for index in range(count):
            frame = av.VideoFrame.from_ndarray(frames(index), format='bgr24')
            frame.pts, frame.time_base = ticks[index], 1 / rate
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def break_packet(path: Path, number: int) -> None:
    """Destroy what one packet of an MP4 file carries, but for its length."""
    with av.open(str(path)) as container:
        packets = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    start, size = packets[number]
    data = bytearray(path.read_bytes())
    data[start + 4 : start + size] = b'\xff' * (size - 4)
    path.write_bytes(data)


def png(w: int, h: int) -> bytes:
    """The PNG file of an image that is said to have (w, h) pixels, with next to no data."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))

    header = chunk(b'IHDR', struct.pack('>IIBBBBB', w, h, 8, 2, 0, 0, 0))
    return b'\x89PNG\r\n\x1a\n' + header + chunk(b'IDAT', zlib.compress(bytes(99))) + chunk(b'IEND', b'')
