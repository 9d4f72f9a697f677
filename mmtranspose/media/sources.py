"""Whatever may be given as input, as one stream of frames."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from threading import Lock

from mmtranspose.errors import InputError
from mmtranspose.media.frame import Frame, Unreadable
from mmtranspose.media.input_parts import Part, parts_of


def open_source(inputs: object) -> Source:
    """What was given, as one stream of frames; nothing is decoded yet.

    Args:
        inputs: One of these, or a list or tuple that mixes them:

            - an image or video file, str or Path;
            - a folder: its images and videos in natural order, without folders inside it and hidden files;
            - a pattern: ``'a/*.jpg'``; ``'a/**/*.jpg'`` looks into folders;
            - a camera: its number, ``'webcam'`` (0) or ``'webcam:1'``;
            - an array (h, w, 3), BGR, uint8;
            - any other iterable of such arrays, read one at a time; it may have no end;

            or a source, which is returned as it is.

    Raises:
        InputError: Nothing is given; a file, folder or camera is not there; a folder or pattern has no image or
            video; a file is of another kind; an array is no image; PyAV, which videos need, is not installed.
    """
    if isinstance(inputs, Source):
        return inputs
    inputs = inputs if isinstance(inputs, (list, tuple)) else [inputs]
    if not inputs:
        raise InputError('no input is given: name images, videos, folders or a camera')
    parts: list[Part] = []
    try:
        for given in inputs:
            parts.extend(parts_of(given))
    except BaseException:
        for part in parts:
            part.close()
        raise
    return Source(parts)


class Source:
    """Frames of images, videos and cameras, one at a time, once; what cannot be read is an :class:`Unreadable`.

    May be read and closed in other threads than the one that made it.

    Args:
        parts (Iterable[Part]): What it is made of, in order.
    """

    def __init__(self, parts: Iterable[Part]):
        self._parts = list(parts)
        self._items = self._read()
        self._lock = Lock()
        self._closed = False

    @property
    def length(self) -> int | None:
        """Number of items as far as files tell it beforehand (an estimate for some videos); None where they do not."""
        lengths = [part.length for part in self._parts]
        return None if None in lengths else sum(lengths)

    @property
    def live(self) -> bool:
        """Whether a camera is among its parts: frames come at their own pace."""
        return any(part.live for part in self._parts)

    @property
    def moving(self) -> bool:
        """Whether a video or camera is among its parts."""
        return any(part.moving for part in self._parts)

    def close(self) -> None:
        """Close files and cameras. While another thread reads an item, that thread closes them when it has it."""
        self._closed = True
        if self._lock.acquire(blocking=False):
            try:
                self._items.close()
                for part in self._parts:
                    part.close()
            finally:
                self._lock.release()

    def _read(self) -> Iterator[Frame | Unreadable]:
        numbers = itertools.count()
        for part in self._parts:
            try:
                yield from part.read(numbers)
            finally:
                part.close()

    def __iter__(self) -> Source:
        return self

    def __next__(self) -> Frame | Unreadable:
        with self._lock:
            item = None if self._closed else next(self._items, None)
        if self._closed:
            self.close()
            item = None
        if item is None:
            raise StopIteration
        return item

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
