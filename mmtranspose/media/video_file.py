"""Video files to frames."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING

from mmtranspose.media.frame import USUAL_RATE, Frame, Unreadable, Video
from mmtranspose.media.video_decoder import VideoDecoder, as_url, import_av, in_words

if TYPE_CHECKING:
    import av
    from av.container import InputContainer


PLAYLISTS = ('concat', 'hls', 'dash')


class VideoFile:
    """A video file, opened when its turn comes and read one frame at a time, so that memory stays flat.

    Args:
        path (str): The file.

    Raises:
        InputError: PyAV is not installed.
    """

    live, moving = False, True

    def __init__(self, path: str):
        self.path = path
        self.av = import_av()
        self.faults = (self.av.FFmpegError, ValueError, OSError)

    @cached_property
    def length(self) -> int | None:
        """Number of frames as the file has it, or as its duration makes likely; None where it says nothing."""
        try:
            with self.av.open(as_url(self.path)) as container:
                stream = self._stream(container)
                return stream and _length(container, stream)
        except self.faults:
            return None

    def read(self, numbers: Iterator[int]) -> Iterator[Frame | Unreadable]:
        """The frames, numbered by themselves; a packet, or a whole file, that cannot be decoded is one unreadable."""
        try:
            container = self.av.open(as_url(self.path))
        except self.faults as error:
            yield Unreadable(self.path, f'cannot be opened, it is truncated or no video ({in_words(error)})')
            return
        with container:
            stream = self._stream(container)
            if container.format.name in PLAYLISTS:
                yield Unreadable(self.path, 'is a list of other files; name those')
            elif stream is None:
                yield Unreadable(self.path, 'holds no video stream')
            else:
                yield from self._frames(container, stream)

    def close(self) -> None:
        """Nothing stays open: the file is closed when reading ends, early or not."""

    def _stream(self, container: InputContainer) -> av.VideoStream | None:
        covers = self.av.stream.Disposition.attached_pic
        return next((stream for stream in container.streams.video if not stream.disposition & covers), None)

    def _frames(self, container: InputContainer, stream: av.VideoStream) -> Iterator[Frame | Unreadable]:
        video = None
        rate, length = _rate(container, stream), _length(container, stream)
        decoder = VideoDecoder(container, stream, self.faults)
        for index, image in enumerate(decoder.images()):
            name = f'{self.path}, frame {index}'
            if isinstance(image, str):
                yield Unreadable(name, image)
                continue
            h, w = image.shape[:2]
            video = video or Video(self.path, rate, (w, h), length)
            yield Frame(image, name, index, self.path, video)
        if video is None:
            yield Unreadable(self.path, 'holds no frame that can be decoded')
        elif decoder.lost:
            yield Unreadable(self.path, f'lacks {decoder.lost} more frames, which lean on broken ones')


def _rate(container: InputContainer, stream: av.VideoStream) -> Fraction:
    """The average rate; where there are no times to average over (raw streams), what the coded frames say."""
    known = stream.average_rate if container.duration else stream.guessed_rate
    return Fraction(known or stream.average_rate or USUAL_RATE)


def _length(container: InputContainer, stream: av.VideoStream) -> int | None:
    if stream.frames or not container.duration:
        return stream.frames or None
    return round(container.duration * _rate(container, stream) / 1_000_000)  # durations are in microseconds
