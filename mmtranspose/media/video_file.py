"""Read frames from video files."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING

from mmtranspose.media.frame import DEFAULT_RATE, Frame, Unreadable, Video
from mmtranspose.media.video_decoder import VideoDecoder, as_url, import_av, in_words

if TYPE_CHECKING:
    import av
    from av.container import InputContainer

PLAYLISTS = ('concat', 'hls', 'dash')


class VideoInput:
    """A video file, opened when its turn comes and read one frame at a time, so that memory does not grow.

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
        """Number of frames by the file's frame count or, as an estimate, by its duration; None where it has neither."""
        try:
            with self.av.open(as_url(self.path)) as container:
                stream = self._stream(container)
                return stream and _length(container, stream)
        except self.faults:
            return None

    def read(self, image_numbers: Iterator[int]) -> Iterator[Frame | Unreadable]:  # noqa: ARG002  frames have their own
        """Yield the frames, and one :class:`Unreadable` for each packet, or whole file, that cannot be decoded."""
        try:
            container = self.av.open(as_url(self.path))
        except self.faults as error:
            yield Unreadable(self.path, f'cannot be opened, it is truncated or no video ({in_words(error)})')
            return
        with container:
            stream = self._stream(container)
            if container.format.name in PLAYLISTS:
                yield Unreadable(self.path, 'is a list of other files; name those files')
            elif stream is None:
                yield Unreadable(self.path, 'holds no video stream')
            else:
                yield from self._frames(container, stream)

    def close(self) -> None:
        """Do nothing: the file is closed whenever reading ends, early or not."""

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
            yield Unreadable(self.path, f'lacks {decoder.lost} more frames, which depend on broken ones')


def _rate(container: InputContainer, stream: av.VideoStream) -> Fraction:
    """The average rate; for raw streams, which have no times to average over, the rate that the coded frames tell."""
    known = stream.average_rate if container.duration else stream.guessed_rate
    return Fraction(known or stream.average_rate or DEFAULT_RATE)


def _length(container: InputContainer, stream: av.VideoStream) -> int | None:
    if stream.frames or not container.duration:
        return stream.frames or None
    return round(container.duration * _rate(container, stream) / 1_000_000)  # durations are in microseconds
