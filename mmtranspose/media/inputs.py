"""One input as a source takes it: an image or video file, a folder or pattern of such files, a camera, arrays."""

from __future__ import annotations

import glob
import itertools
import os
import re
from collections.abc import Iterable, Iterator, Sized
from pathlib import Path
from typing import Protocol, TypeAlias

import cv2
import numpy as np

from mmtranspose.errors import InputError
from mmtranspose.media.camera import CameraInput
from mmtranspose.media.foreign_formats import foreign_format
from mmtranspose.media.frame import Frame, Unreadable
from mmtranspose.media.image_array import UnusableArray, array_as_image
from mmtranspose.media.image_file import ImageInput
from mmtranspose.media.video_file import VideoInput

InputLike: TypeAlias = str | Path | int | np.ndarray | Iterable[np.ndarray]

IMAGE_SUFFIXES = frozenset(
    '.jpg .jpeg .jpe .jfif .png .bmp .dib .webp .tif .tiff .jp2 .ppm .pgm .pbm .pnm'.split()  # noqa: SIM905  to be read
)
FOREIGN_SUFFIXES = frozenset(('.avif', '.heic', '.heif', '.jxl'))  # of photographs that OpenCV may not read
VIDEO_SUFFIXES = frozenset(
    (  # noqa: SIM905  to be read
        '.mp4 .m4v .mov .avi .mkv .webm .mpg .mpeg .m2v .ts .mts .m2ts .wmv .asf .flv .3gp .3g2 .ogv .vob .mxf .dv '
        '.y4m .gif .mjpeg .mjpg .h264 .264 .h265 .265 .hevc .ivf'
    ).split()
)
WEBCAM = re.compile(r'webcam(?::(\d+))?')


class Input(Protocol):
    """One image or video file, one camera, or one iterable of arrays.

    Attributes:
        length (int | None): Number of frames, perhaps an estimate; None where it is unknown.
        live (bool): Whether frames arrive at their own pace, from a camera.
        moving (bool): Whether this is a video or a camera.
    """

    @property
    def length(self) -> int | None: ...  # noqa: D102

    @property
    def live(self) -> bool: ...  # noqa: D102

    @property
    def moving(self) -> bool: ...  # noqa: D102

    def read(self, image_numbers: Iterator[int]) -> Iterator[Frame | Unreadable]:
        """Yield the frames. Single images and arrays are numbered by ``image_numbers``, other frames by themselves."""
        ...

    def close(self) -> None:
        """Close what is open. May be called again."""
        ...


class ArrayInput:
    """Arrays of an iterable, taken one at a time; the iterable may be endless.

    Args:
        arrays (Iterable[np.ndarray]): Each as :func:`~mmtranspose.media.image_array.as_image` takes it. Arrays of an
            iterable without a length are copied, because such an iterable may fill one array again and again.
    """

    live = moving = False

    def __init__(self, arrays: Iterable[np.ndarray]):
        self.arrays = arrays
        self.length = len(arrays) if isinstance(arrays, Sized) else None

    def read(self, image_numbers: Iterator[int]) -> Iterator[Frame | Unreadable]:
        """Yield the arrays, numbered by ``image_numbers``; an array that is no image is an :class:`Unreadable`."""
        for array in self.arrays:
            index = next(image_numbers)
            name = f'array {index}'
            try:
                image = array_as_image(array)
            except UnusableArray as error:
                yield Unreadable(name, error.reason)
                continue
            refilled = self.length is None and np.may_share_memory(image, array)
            yield Frame(image.copy() if refilled else image, name, index, None, None)

    def close(self) -> None:
        """Do nothing: the iterable belongs to the caller."""


def suffix_of(path: str) -> str:
    """The suffix of a file's name in lower case: ``'.jpg'``."""
    return os.path.splitext(path)[1].lower()


def known_files(paths: Iterable[str]) -> list[str]:
    """The image and video files among the paths, without hidden files, in natural order: a2.jpg before a10.jpg.

    Photographs in formats that may not be read are among them, so that they are named and not passed over.
    """
    kinds = IMAGE_SUFFIXES | VIDEO_SUFFIXES | FOREIGN_SUFFIXES
    kept = (path for path in paths if suffix_of(path) in kinds and not os.path.basename(path).startswith('.'))
    return sorted(filter(os.path.isfile, kept), key=_natural)


def is_pattern(text: str) -> bool:
    """Whether an input is a pattern, and not a file or folder whose name has such characters."""
    return glob.has_magic(text) and not os.path.exists(text)


def matching_files(pattern: str) -> list[str]:
    """The image and video files that a pattern matches, as :func:`known_files` gives them."""
    return known_files(glob.glob(pattern, recursive=True))


def start_of(pattern: str) -> Path:
    """The folder in and below which a pattern looks for files: that of its parts before the first wildcard."""
    return Path(*itertools.takewhile(lambda part: not glob.has_magic(part), Path(pattern).parts))


def _natural(path: str) -> tuple[list[int | str], str]:
    # Text and numbers alternate, so that like is compared with like; the path itself decides between a1 and a01.
    return [int(part) if part.isdecimal() else part for part in re.split(r'(\d+)', path)], path


def expand_input(given: InputLike) -> list[Input]:
    """The files, camera or arrays that one input stands for; see :func:`~mmtranspose.media.open_source`.

    Raises:
        InputError: As for :func:`~mmtranspose.media.open_source`.
    """
    if isinstance(given, (str, os.PathLike)):
        return _expand_text(os.fspath(given))
    if isinstance(given, (int, np.integer)) and not isinstance(given, bool):
        if given < 0:
            raise InputError(f'camera {given} does not exist: cameras are numbered from 0')
        return [CameraInput(int(given))]
    if isinstance(given, np.ndarray) and (given.ndim != 4 or not given.size):
        return [ArrayInput([array_as_image(given)])]
    if isinstance(given, Iterable) and not isinstance(given, (bytes, dict)):
        return [ArrayInput(given)]
    raise InputError(
        f'an input of type {type(given).__name__} is not a path, camera number, array or iterable of arrays'
    )


def _expand_text(text: str) -> list[Input]:
    webcam = WEBCAM.fullmatch(text)
    if webcam:
        return [CameraInput(int(webcam[1] or 0))]
    if os.path.isdir(text):
        files = known_files(os.path.join(text, name) for name in os.listdir(text))
        missing = f'folder {text} holds no image or video; "{os.path.join(text, "**", "*")}" looks into its folders'
    elif os.path.exists(text):
        return [_file_input(text)]
    elif is_pattern(text):
        files = matching_files(text)
        missing = f'no image or video matches {text}'
    else:
        raise InputError(f'input {text} does not exist')
    if not files:
        raise InputError(missing)
    return [ImageInput(file) if suffix_of(file) in FOREIGN_SUFFIXES else _file_input(file) for file in files]


def _file_input(path: str) -> Input:
    suffix = suffix_of(path)
    if suffix in VIDEO_SUFFIXES:
        return VideoInput(path)
    if suffix in IMAGE_SUFFIXES or cv2.haveImageReader(path):
        return ImageInput(path)
    with open(path, 'rb') as file:
        foreign = foreign_format(file.read())
    if foreign is not None:
        raise InputError(f'input {path} {foreign}')
    raise InputError(
        f'input {path} is neither an image nor a video by its name: images end in '
        f'{", ".join(sorted(IMAGE_SUFFIXES))}; videos in {", ".join(sorted(VIDEO_SUFFIXES))}'
    )
