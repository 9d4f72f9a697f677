"""A video stream to pictures, and an account of what is lost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from mmtranspose.media.display_matrix import display_matrix, upright

if TYPE_CHECKING:
    import av
    from av.container import InputContainer


class VideoDecoder:
    """Pictures of a stream, decoded packet by packet, so that a broken one costs its own picture.

    Args:
        container (InputContainer): The open file.
        stream (av.VideoStream): Its video stream.
        faults (tuple[type[Exception], ...]): What PyAV raises for broken data.

    Attributes:
        lost (int): After the last picture: how many more gave no picture because they lean on broken ones.
    """

    def __init__(self, container: InputContainer, stream: av.VideoStream, faults: tuple[type[Exception], ...]):
        self.container, self.stream, self.faults = container, stream, faults
        self.lost = 0
        self._size: dict[str, int] = {}
        self._matrix: np.ndarray | None = None
        stream.thread_type = 'SLICE'  # frame threads lose the last pictures, and their errors, when one is broken

    def images(self) -> Iterator[np.ndarray | str]:
        """In order of display: pictures (h, w, 3), BGR, uint8, upright, of the first one's size; or why one is not."""
        packets = given = broken = 0
        for packet in self._packets():
            for image in self._decode(packet):
                given += 1
                broken += isinstance(image, str)
                yield image
            packets += isinstance(packet, str) or packet.size > 0  # the last is empty: it asks for what is left
        self.lost = max(0, packets - given) if broken else 0  # in a whole stream a picture may take two packets

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
