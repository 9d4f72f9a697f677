"""Decode a video stream to upright images with PyAV, and account for what is lost."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from mmtranspose.errors import InputError
from mmtranspose.typing import PathLike
from mmtranspose_cli.optional_packages import pip_install

if TYPE_CHECKING:
    import av
    from av.container import InputContainer


def import_av() -> ModuleType:
    """Import PyAV, the module ``av``.

    Raises:
        InputError: PyAV is not installed.
    """
    try:
        import av
    except ImportError:
        raise InputError(f'videos need PyAV: {pip_install("av")}') from None
    return av


def as_url(path: PathLike) -> str:
    """The address of a file for FFmpeg, which would take a name up to a colon for a protocol."""
    return f'file:{path}'


def display_matrix(frame: av.VideoFrame) -> np.ndarray | None:
    """The matrix (3, 3), int32, that rotates or mirrors a frame for display; None where the frame has none.

    Call this for one frame of a video only: PyAV's side data and its frame refer to each other, so that memory would
    grow until Python's garbage collector finds them.
    """
    data = frame.side_data.get('DISPLAYMATRIX')
    return None if data is None else np.frombuffer(bytes(data), np.int32).reshape(3, 3)


def upright(image: np.ndarray, matrix: np.ndarray | None) -> np.ndarray:
    """Turn a decoded image by quarter turns and mirror it, as players do.

    The matrix is ((a, b, u), (c, d, v), (x, y, w)): x' = a x + c y, y' = b x + d y (ISO 14496-12, 6.2.2).

    Args:
        image (np.ndarray): (h, w, 3).
        matrix (np.ndarray | None): From :func:`display_matrix`.

    Returns:
        np.ndarray: (h, w, 3) or (w, h, 3), contiguous.
    """
    if matrix is None:
        return image
    (a, b), (c, d) = matrix[:2, :2]
    if abs(b) > abs(a):
        image, along_x, along_y = image.transpose(1, 0, 2), c, b
    else:
        along_x, along_y = a, d
    return np.ascontiguousarray(image[:: -1 if along_y < 0 else 1, :: -1 if along_x < 0 else 1])


class VideoDecoder:
    """Decodes a stream packet by packet, so that a broken packet costs its own image only.

    Args:
        container (InputContainer): The open file.
        stream (av.VideoStream): The video stream of the file.
        faults (tuple[type[Exception], ...]): Exceptions that PyAV raises for broken data.

    Attributes:
        lost (int): Set after the last image: number of further packets that gave no image because they depend on broken
            ones.
    """

    def __init__(self, container: InputContainer, stream: av.VideoStream, faults: tuple[type[Exception], ...]):
        self.container, self.stream, self.faults = container, stream, faults
        self.lost = 0
        self._size: dict[str, int] = {}
        self._matrix: np.ndarray | None = None
        stream.thread_type = 'SLICE'  # frame threads lose the last images, and their errors, when a packet is broken

    def images(self) -> Iterator[np.ndarray | str]:
        """Yield images in order of display: (h, w, 3), BGR, uint8, upright, of the first image's size.

        In the place of an image that cannot be decoded, yield the reason.
        """
        packets = given = broken = 0
        for packet in self._packets():
            for image in self._decode(packet):
                given += 1
                broken += isinstance(image, str)
                yield image
            packets += isinstance(packet, str) or packet.size > 0  # the last is empty: it asks for what is left
        self.lost = max(0, packets - given) if broken else 0  # in a whole stream an image may take two packets

    def _packets(self) -> Iterator[av.Packet | str]:
        packets = self.container.demux(self.stream)
        while True:
            try:
                packet = next(packets, None)
            except self.faults as error:
                yield f'cannot be read, nor what follows ({in_words(error)})'
                return
            if packet is None:
                return
            yield packet

    def _decode(self, packet: av.Packet | str) -> list[np.ndarray | str]:
        if isinstance(packet, str):
            return [packet]
        try:
            return [self._image(frame) for frame in self.stream.decode(packet)]
        except self.faults as error:
            return [f'cannot be decoded ({in_words(error)})']

    def _image(self, frame: av.VideoFrame) -> np.ndarray | str:
        if frame.is_corrupt:
            return 'is damaged'
        if not self._size:
            self._size = dict(width=frame.width, height=frame.height)
            self._matrix = display_matrix(frame)
        return upright(frame.to_ndarray(format='bgr24', **self._size), self._matrix)


def in_words(error: Exception) -> str:
    """FFmpeg's message, without error number and file name."""
    return getattr(error, 'strerror', None) or str(error)
