"""Frames to a video file."""

from __future__ import annotations

import math
import os
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from mmtranspose.errors import InputError
from mmtranspose.media.video_decoder import as_url, import_av

if TYPE_CHECKING:
    import av

CODECS = {
    'libx264': {'crf': '20', 'preset': 'veryfast'},
    'mpeg4': {'qmin': '4', 'qmax': '4'},
}
MOST_TICKS = 65535  # in a second: the field of MPEG-4 has 16 bits
BT601 = 6  # how swscale turns RGB to YUV unless told otherwise; players would guess BT.709 for large images


class VideoWriter:
    """An MP4 file of H.264, or of MPEG-4 where PyAV lacks libx264.

    The file appears under its name when the writer is closed. An exception in the ``with`` block, Ctrl-C too, closes it
    as well, so that what was written can be played. Without a frame there is no file.

    Args:
        path (str | Path): The file. Folders that are missing are made.
        rate (Fraction | float): Frames per second.
        size (tuple[int, int]): (w, h) of the frames in pixels. A video of odd size has one column or row more, which
            repeats the last one, since it stores colours at half the resolution.

    Raises:
        InputError: The rate or the size is not positive; PyAV is not installed.
    """

    def __init__(self, path: str | Path, rate: Fraction | float, size: tuple[int, int]):
        if not (math.isfinite(rate) and rate > 0):
            raise InputError(f'video {path}: a rate of {rate} frames per second is not positive and finite')
        if min(size) < 1:
            raise InputError(f'video {path}: a size of {size[0]} x {size[1]} pixels is not positive')
        self.path = Path(path)
        self.rate = 1 / (1 / Fraction(rate)).limit_denominator(MOST_TICKS)
        self.size = tuple(size)
        self._av = import_av()
        self._partial = self.path.with_name(f'{self.path.name}.{os.getpid()}.partial')
        self._container = self._stream = None
        self._count = 0
        self._flushed = self._closed = False

    def write(self, image: np.ndarray) -> None:
        """Append a frame.

        Args:
            image (np.ndarray): (h, w, 3), BGR, uint8, of the video's size.

        Raises:
            InputError: It has another shape or dtype.
            OSError: The file cannot be written; on a full disk ``errno`` is ENOSPC. ``filename`` is the video's, and
                nothing of it is left.
        """
        if self._closed:
            raise ValueError(f'video {self.path} is closed')
        w, h = self.size
        if image.shape != (h, w, 3) or image.dtype != np.uint8:
            raise InputError(
                f'video {self.path}: a frame of shape {image.shape} and dtype {image.dtype} does not fit into frames '
                f'of {w} x {h} pixels, uint8'
            )
        with self._whole_or_gone():
            if self._container is None:
                self._open(w + w % 2, h + h % 2)
            frame = self._av.VideoFrame.from_ndarray(_even(image), format='bgr24')
            frame.pts, frame.time_base = self._count, 1 / self.rate
            self._count += 1
            self._encode(frame)

    def close(self) -> None:
        """Finish the file and give it its name. May be called again.

        Raises:
            OSError: As for :meth:`write`.
        """
        if self._closed:
            return
        if self._container is None:
            self._abandon()
            return
        with self._whole_or_gone():
            try:
                self._finish()
            except KeyboardInterrupt:  # a second Ctrl-C: the file still has to be finished
                self._finish()
                raise

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open(self, w: int, h: int) -> None:
        self._partial.parent.mkdir(parents=True, exist_ok=True)
        container = self._av.open(as_url(self._partial), 'w', format='mp4')
        codec = next(name for name in CODECS if name in self._av.codecs_available)
        self._stream = container.add_stream(codec, rate=self.rate, options=dict(CODECS[codec]))
        self._stream.width, self._stream.height, self._stream.pix_fmt = w, h, 'yuv420p'
        self._stream.codec_context.colorspace = BT601
        self._container = container

    def _finish(self) -> None:
        if not self._flushed:
            self._encode(None)
            self._flushed = True
        self._container.close()
        os.replace(self._partial, self.path)
        self._closed = True

    def _encode(self, frame: av.VideoFrame | None) -> None:
        # One call: Ctrl-C between encoding and writing would lose a packet that the next ones lean on.
        deque(map(self._container.mux, map(self._stream.encode, [frame])), maxlen=0)

    @contextmanager
    def _whole_or_gone(self) -> Iterator[None]:
        try:
            yield
        except (OSError, self._av.FFmpegError) as error:
            self._abandon()
            if isinstance(error, OSError):
                raise OSError(error.errno, error.strerror or str(error), str(self.path)) from error
            raise InputError(f'video {self.path} cannot be encoded: {error}') from error

    def _abandon(self) -> None:
        self._closed = True
        if self._container is not None:
            with suppress(OSError, self._av.FFmpegError):
                self._container.close()
        with suppress(OSError):
            self._partial.unlink()


def _even(image: np.ndarray) -> np.ndarray:
    h, w = image.shape[:2]
    return np.ascontiguousarray(cv2.copyMakeBorder(image, 0, h % 2, 0, w % 2, cv2.BORDER_REPLICATE))
