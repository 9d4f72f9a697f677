"""What one input stands for: image and video files, a camera, or arrays."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Iterator, Sized
from typing import Protocol

import cv2
import numpy as np

from mmtranspose.errors import InputError
from mmtranspose.media.camera import Camera
from mmtranspose.media.file_kinds import IMAGES, VIDEOS, known_files, suffix_of
from mmtranspose.media.frame import Frame, Unreadable
from mmtranspose.media.image_file import UnreadableImage, read_image
from mmtranspose.media.video_file import VideoFile


class ImageFile:
    """One image file, read when its turn comes.

    Args:
        path (str): The file.
    """

    length = 1
    live = moving = False

    def __init__(self, path: str):
        self.path = path

    def read(self, numbers: Iterator[int]) -> Iterator[Frame | Unreadable]:
        """The image under the next of the numbers."""
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
        """The arrays under the next of the numbers; what is no image is unreadable."""
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
    """What keeps an object from being an image (h, w, 3), uint8; None if nothing does."""
    if not isinstance(array, np.ndarray):
        return f'is of type {type(array).__name__}, not an array (h, w, 3), BGR, uint8'
    if array.ndim != 3 or array.shape[2] != 3 or array.dtype != np.uint8 or array.size == 0:
        return f'has shape {array.shape} and dtype {array.dtype}, not (h, w, 3) and uint8'
    return None


WEBCAM = re.compile(r'webcam(?::(\d+))?')


class Part(Protocol):
    """A file, a camera, or an iterable of arrays."""

    length: int | None
    live: bool
    moving: bool

    def read(self, numbers: Iterator[int]) -> Iterator[Frame | Unreadable]:
        """Its items; single images take the next of the numbers."""

    def close(self) -> None:
        """Close what is open. May be called again."""


def parts_of(given: object) -> list[Part]:
    """The parts of one input; see :func:`~mmtranspose.media.open_source` for what may be given.

    Raises:
        InputError: As there.
    """
    if isinstance(given, (str, os.PathLike)):
        return _parts_of_text(os.fspath(given))
    if isinstance(given, (int, np.integer)) and not isinstance(given, bool):
        if given < 0:
            raise InputError(f'camera {given} is none: cameras are numbered from 0')
        return [Camera(int(given))]
    if isinstance(given, np.ndarray) and given.ndim != 4:
        fault = array_fault(given)
        if fault:
            raise InputError(f'an array given as input {fault}')
        return [Arrays([given])]
    if isinstance(given, Iterable) and not isinstance(given, (bytes, dict)):
        return [Arrays(given)]
    raise InputError(f'an input of type {type(given).__name__} is no path, camera number, array or iterable of arrays')


def _parts_of_text(text: str) -> list[Part]:
    webcam = WEBCAM.fullmatch(text)
    if webcam:
        return [Camera(int(webcam[1] or 0))]
    if os.path.isdir(text):
        files = known_files(os.path.join(text, name) for name in os.listdir(text))
        missing = f'folder {text} holds no image or video; "{os.path.join(text, "**", "*")}" looks into its folders'
    elif os.path.exists(text):
        return [_part_of_file(text)]
    elif glob.has_magic(text):
        files = known_files(glob.glob(text, recursive=True))
        missing = f'no image or video matches {text}'
    else:
        raise InputError(f'input {text} does not exist')
    if not files:
        raise InputError(missing)
    return [_part_of_file(file) for file in files]


def _part_of_file(path: str) -> Part:
    suffix = suffix_of(path)
    if suffix in VIDEOS:
        return VideoFile(path)
    if suffix in IMAGES or cv2.haveImageReader(path):
        return ImageFile(path)
    raise InputError(
        f'input {path} is of a kind that is not known: images end in {", ".join(sorted(IMAGES))}; '
        f'videos in {", ".join(sorted(VIDEOS))}'
    )
