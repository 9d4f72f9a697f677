"""Parts of a source that are single pictures: files, arrays, and iterables of arrays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sized

import numpy as np

from mmtranspose.media.frame import Frame, Unreadable
from mmtranspose.media.image_file import UnreadableImage, read_image


class PictureFile:
    """One picture file, read when its turn comes.

    Args:
        path (str): The file.
    """

    length = 1
    live = moving = False

    def __init__(self, path: str):
        self.path = path

    def read(self, numbers: Iterator[int]) -> Iterator[Frame | Unreadable]:
        """The picture under the next of the numbers."""
        index = next(numbers)
        try:
            item = Frame(read_image(self.path), self.path, index, self.path, None)
        except UnreadableImage as error:
            item = Unreadable(self.path, error.reason)
        yield item

    def close(self) -> None:
        """Nothing stays open."""


class Arrays:
    """Arrays of an iterable, taken one at a time; it may have no end.

    Args:
        arrays (Iterable[np.ndarray]): (h, w, 3), BGR, uint8, each. What comes from an iterable without a length is
            copied, since it may fill one array again and again.
    """

    live = moving = False

    def __init__(self, arrays: Iterable[np.ndarray]):
        self.arrays = arrays
        self.length = len(arrays) if isinstance(arrays, Sized) else None

    def read(self, numbers: Iterator[int]) -> Iterator[Frame | Unreadable]:
        """The arrays under the next of the numbers; what is no picture is unreadable."""
        for array in self.arrays:
            index = next(numbers)
            name, fault = f'array {index}', array_fault(array)
            if fault:
                yield Unreadable(name, fault)
                continue
            image = np.ascontiguousarray(array) if self.length is not None else np.array(array, order='C')
            yield Frame(image, name, index, None, None)

    def close(self) -> None:
        """The iterable is the caller's, and stays as it is."""


def array_fault(array: object) -> str | None:
    """What keeps an object from being a picture (h, w, 3), uint8; None if nothing does."""
    if not isinstance(array, np.ndarray):
        return f'is of type {type(array).__name__}, not an array (h, w, 3), BGR, uint8'
    if array.ndim != 3 or array.shape[2] != 3 or array.dtype != np.uint8 or array.size == 0:
        return f'has shape {array.shape} and dtype {array.dtype}, not (h, w, 3) and uint8'
    return None
