"""A video stream to upright images by PyAV, and an account of what is lost."""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from mmtranspose.errors import InputError

if TYPE_CHECKING:
    import av
from collections.abc import Iterator

if TYPE_CHECKING:
    import av
    from av.container import InputContainer


def import_av() -> ModuleType:
    """The module ``av``.

    Raises:
        InputError: It is not installed.
    """
    try:
        import av
    except ImportError:
        raise InputError('videos need PyAV: pip install av') from None
    return av


def as_url(path: object) -> str:
    """A file's path for FFmpeg, which takes what stands before a colon for a protocol."""
    return f'file:{path}'


def display_matrix(frame: av.VideoFrame) -> np.ndarray | None:
    """The matrix (3, 3) that comes with a frame, int32; None where nothing is to be turned.

    Not to be asked of every frame: PyAV's side data and its frame hold each other, so that memory grows until Python's
    garbage collector finds them.
    """
    data = frame.side_data.get('DISPLAYMATRIX')
    return None if data is None else np.frombuffer(bytes(data), np.int32).reshape(3, 3)


def upright(image: np.ndarray, matrix: np.ndarray | None) -> np.ndarray:
    """A decoded image as players show it: turned by quarters and mirrored.

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
    """Images of a stream, decoded packet by packet, so that a broken one costs its own image.

    Args:
        container (InputContainer): The open file.
        stream (av.VideoStream): Its video stream.
        faults (tuple[type[Exception], ...]): What PyAV raises for broken data.

    Attributes:
        lost (int): After the last image: how many more gave no image because they lean on broken ones.
    """

    def __init__(self, container: InputContainer, stream: av.VideoStream, faults: tuple[type[Exception], ...]):
        self.container, self.stream, self.faults = container, stream, faults
        self.lost = 0
        self._size: dict[str, int] = {}
        self._matrix: np.ndarray | None = None
        stream.thread_type = 'SLICE'  # frame threads lose the last images, and their errors, when one is broken

    def images(self) -> Iterator[np.ndarray | str]:
        """In order of display: images (h, w, 3), BGR, uint8, upright, of the first one's size; or why one is not."""
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
    """What FFmpeg says, without its number and the file's name."""
    return getattr(error, 'strerror', None) or str(error)
