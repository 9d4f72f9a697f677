"""Read everything that was given as input as one stream of frames."""

from __future__ import annotations

import itertools
from collections.abc import Generator, Iterable, Sequence
from threading import Lock
from typing import TypeAlias

from mmtranspose.errors import InputError
from mmtranspose.media.frame import Frame, Unreadable
from mmtranspose.media.inputs import Input, InputLike, expand_input

InputsLike: TypeAlias = 'InputLike | Sequence[InputLike] | Source'


def open_source(inputs: InputsLike) -> Source:
    """Open inputs as one stream of frames; nothing is decoded yet.

    Args:
        inputs (InputsLike): One of these, or a list or tuple that mixes them:

            - an image or video file, str or Path;
            - a folder: its images and videos in natural order, without subfolders and hidden files;
            - a pattern: ``'a/*.jpg'``; ``'a/**/*.jpg'`` includes subfolders;
            - a camera: its number, ``'webcam'`` (number 0) or ``'webcam:1'``;
            - an array (h, w, 3), BGR, uint8; or grey or BGRA, as :func:`~mmtranspose.media.as_image` takes it;
            - any other iterable of such arrays, read one at a time; it may be endless;

            or a :class:`Source`, which is returned unchanged.

    Raises:
        InputError: There is no input; a file, folder or camera does not exist; a folder or pattern has no image or
            video; a file is neither image nor video; an array is not an image; or PyAV, which videos need, is missing.
    """
    if isinstance(inputs, Source):
        return inputs
    several = isinstance(inputs, (list, tuple))
    given: Sequence[InputLike] = inputs if several else [inputs]  # type: ignore[assignment,list-item]  # by `several`
    if not given:
        raise InputError('no input is given: name images, videos, folders or a camera')
    expanded: list[Input] = []
    try:
        for one in given:
            expanded.extend(expand_input(one))
    except BaseException:
        for each in expanded:
            each.close()
        raise
    return Source(expanded)


class Source:
    """Frames of images, videos and cameras, one at a time; can be iterated once.

    What cannot be read is yielded as an :class:`Unreadable`. A source may be read and closed in other threads than the
    one that made it.

    Args:
        inputs (Iterable[Input]): Files, cameras and arrays, read in this order.
    """

    def __init__(self, inputs: Iterable[Input]):
        self._inputs = list(inputs)
        self._items = self._read()
        self._lock = Lock()
        self._closed = False

    @property
    def inputs(self) -> list[Input]:
        """The files, cameras and arrays, in the order in which they are read."""
        return list(self._inputs)

    @property
    def length(self) -> int | None:
        """Number of frames, an estimate for some videos; None where an input does not tell its length."""
        total = 0
        for one in self._inputs:
            if one.length is None:
                return None
            total += one.length
        return total

    @property
    def live(self) -> bool:
        """Whether one of the inputs is a camera: frames arrive at their own pace."""
        return any(one.live for one in self._inputs)

    @property
    def moving(self) -> bool:
        """Whether one of the inputs is a video or a camera."""
        return any(one.moving for one in self._inputs)

    def close(self) -> None:
        """Close files and cameras. While another thread reads a frame, that thread closes them afterwards."""
        self._closed = True
        if self._lock.acquire(blocking=False):
            try:
                self._items.close()
                for one in self._inputs:
                    one.close()
            finally:
                self._lock.release()

    def _read(self) -> Generator[Frame | Unreadable, None, None]:
        image_numbers = itertools.count()
        for one in self._inputs:
            try:
                yield from one.read(image_numbers)
            finally:
                one.close()

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
