"""Write frames to a video file."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from mmtranspose.errors import InputError
from mmtranspose.files.output_paths import PartialFile
from mmtranspose.media.video_decoder import as_url, import_av
from mmtranspose.typing import PathLike

if TYPE_CHECKING:
    import av

CODECS = {
    'libx264': {'crf': '20', 'preset': 'veryfast'},
    'mpeg4': {'qmin': '4', 'qmax': '4'},
}
MOST_TICKS = 65535  # in a second: the field of MPEG-4 has 16 bits
BT601 = 6  # how swscale turns RGB to YUV unless told otherwise; players would guess BT.709 for large images


class VideoWriter:
    """Writes an MP4 file of H.264, or of MPEG-4 where PyAV lacks libx264.

    The file appears under its name when the writer is closed. An exception in the ``with`` block, Ctrl-C too, also
    closes the writer, so that what was written can be played. A writer that got no frame leaves no file.

    Args:
        path (PathLike): The file; missing folders are made.
        rate (Fraction | float): Frames per second.
        size (tuple[int, int]): (w, h) of the frames in pixels. A video of odd width or height gets one more column or
            row, a copy of the last one, because videos store colours at half the resolution.

    Raises:
        InputError: The rate or the size is not positive, or PyAV is not installed.
    """

    def __init__(self, path: PathLike, rate: Fraction | float, size: tuple[int, int]):
        if not (math.isfinite(rate) and rate > 0):
            raise InputError(f'video {path}: a rate of {rate} frames per second is not positive and finite')
        if min(size) < 1:
            raise InputError(f'video {path}: a size of {size[0]} x {size[1]} pixels is not positive')
        self.path = Path(path)
        self.rate = 1 / (1 / Fraction(rate)).limit_denominator(MOST_TICKS)
        self.size = tuple(size)
        self._av = import_av()
        self._partial = PartialFile(self.path)
        self._encoder: _Encoder | None = None
        self._closed = False

    def write(self, image: np.ndarray) -> None:
        """Append a frame.

        Args:
            image (np.ndarray): (h, w, 3), BGR, uint8, of the video's size.

        Raises:
            InputError: The image has another shape or dtype.
            OSError: The file cannot be written (``errno`` is ENOSPC on a full disk). ``filename`` is the name of the
                video, and nothing of the video is left.
        """
        if self._closed:
            raise InputError(f'video {self.path} is closed')
        w, h = self.size
        if image.shape != (h, w, 3) or image.dtype != np.uint8:
            raise InputError(
                f'video {self.path}: a frame of shape {image.shape} and dtype {image.dtype} does not fit into frames '
                f'of {w} x {h} pixels, uint8'
            )
        with self._whole_or_gone():
            if self._encoder is None:
                self._encoder = _Encoder(self._partial.create(), self.rate, (w + w % 2, h + h % 2))
            self._encoder.encode(_even(image))

    def close(self) -> None:
        """Finish the file and give it its name. May be called again.

        Raises:
            OSError: As for :meth:`write`.
        """
        if self._closed:
            return
        if self._encoder is None:
            self._abandon()
            return
        with self._whole_or_gone():
            try:
                self._finish(self._encoder)
            except KeyboardInterrupt:  # a second Ctrl-C: the file still has to be finished
                self._finish(self._encoder)
                raise

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _finish(self, encoder: _Encoder) -> None:
        encoder.finish()
        self._partial.complete()
        self._closed = True

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
        if self._encoder is not None:
            with suppress(OSError, self._av.FFmpegError):
                self._encoder.close()
        self._partial.abandon()


class _Encoder:
    """An open MP4 file and the stream that frames of (w, h) pixels, both even, are encoded to."""

    def __init__(self, path: Path, rate: Fraction, size: tuple[int, int]):
        self._av, self._rate = import_av(), rate
        self._container = self._av.open(as_url(path), 'w', format='mp4')
        codec = next(name for name in CODECS if name in self._av.codecs_available)
        self._stream = self._container.add_stream(codec, rate=rate, options=dict(CODECS[codec]))
        self._stream.width, self._stream.height = size
        self._stream.pix_fmt, self._stream.codec_context.colorspace = 'yuv420p', BT601
        self._count, self._flushed = 0, False

    def encode(self, image: np.ndarray) -> None:
        """Append a frame (h, w, 3), BGR, uint8."""
        frame = self._av.VideoFrame.from_ndarray(image, format='bgr24')
        frame.pts, frame.time_base = self._count, 1 / self._rate
        self._count += 1
        self._put(frame)

    def finish(self) -> None:
        """Write what the codec still holds and close the file. May be called again after an interruption."""
        if not self._flushed:
            self._put(None)
            self._flushed = True
        self.close()

    def close(self) -> None:
        """Close the file as it is."""
        self._container.close()

    def _put(self, frame: av.VideoFrame | None) -> None:
        # One call: Ctrl-C between encoding and writing would lose a packet that the next packets depend on.
        deque(map(self._container.mux, map(self._stream.encode, [frame])), maxlen=0)


def _even(image: np.ndarray) -> np.ndarray:
    """The image (h, w, 3) with its last row or column repeated where their number is odd."""
    h, w = image.shape[:2]
    return np.ascontiguousarray(cv2.copyMakeBorder(image, 0, h % 2, 0, w % 2, cv2.BORDER_REPLICATE))
