"""Take arrays as images: convert grey and transparent ones, refuse those whose brightness or layout is not known."""

from __future__ import annotations

import os

import cv2
import numpy as np

from mmtranspose.errors import InputError
from mmtranspose.media.image_file import read_image
from mmtranspose.typing import ImageLike

WANTED = '(h, w, 3), BGR, uint8'
CHANNELS = (1, 3, 4)  # grey, BGR, BGRA
TO_BGR = {1: cv2.COLOR_GRAY2BGR, 4: cv2.COLOR_BGRA2BGR}


class UnusableArray(InputError):
    """An object cannot be taken as an image.

    Args:
        reason (str): What is wrong and what to do, worded to follow a name: ``'is empty: its shape is (0, 5, 3)'``.
    """

    def __init__(self, reason: str):
        self.reason = reason
        super().__init__(f'the image {reason}')


def as_image(given: ImageLike) -> np.ndarray:
    """Read or convert whatever may be given as an image; the same for all functions of the Python API.

    Args:
        given (ImageLike): A file; or an array of dtype uint8: (h, w, 3), BGR; (h, w) or (h, w, 1), grey; (h, w, 4),
            BGRA, whose alpha is dropped, as :func:`read_image` does.

    Returns:
        np.ndarray: (h, w, 3), BGR, uint8, contiguous; the array itself if it has this form.

    Raises:
        UnreadableImage: The file cannot be read.
        UnusableArray: The array has another dtype or shape, or is empty; or something else was given.
    """
    return read_image(given) if isinstance(given, (str, os.PathLike)) else array_as_image(given)


def array_as_image(array: object) -> np.ndarray:
    """Convert an array as :func:`as_image` does.

    Raises:
        UnusableArray: As for :func:`as_image`.
    """
    if not isinstance(array, np.ndarray):
        raise UnusableArray(f'is of type {type(array).__name__}, not an array {WANTED}')
    reason = _wrong_values(array) or _wrong_shape(array.shape)
    if reason is not None:
        raise UnusableArray(reason)
    plain = np.asarray(array)  # a matrix would stay one
    image = np.ascontiguousarray(plain if plain.ndim == 3 else plain[..., None])
    return image if image.shape[2] == 3 else cv2.cvtColor(image, TO_BGR[image.shape[2]])


def _wrong_values(array: np.ndarray) -> str | None:
    """What is wrong with the dtype, and how to convert values of it; None if nothing is."""
    if array.dtype == np.uint8:
        return None
    if array.dtype == np.uint16:
        how = '(array >> 8).astype(numpy.uint8), if its values go up to 65535'
    elif array.dtype.kind == 'f':
        how = '(array * 255).round().astype(numpy.uint8), if its values go from 0 to 1'
    elif array.dtype == np.bool_:
        how = 'array.astype(numpy.uint8) * 255'
    else:
        how = 'array.astype(numpy.uint8), if its values go from 0 to 255'
    return f'has dtype {array.dtype}, and values from 0 to 255 of dtype uint8 are expected: give {how}'


def _wrong_shape(shape: tuple[int, ...]) -> str | None:
    """What is wrong with the shape; None if nothing is."""
    if 0 in shape:
        return f'is empty: its shape is {shape}'
    if len(shape) == 2 or (len(shape) == 3 and shape[2] in CHANNELS):
        return None
    if len(shape) == 3 and shape[0] in CHANNELS:
        return f'has shape {shape}, with the channels first: give array.transpose(1, 2, 0), in BGR'
    if len(shape) == 4:
        return f'has shape {shape}, which is several images: give them one at a time, each {WANTED}'
    return f'has shape {shape}, not {WANTED}'
