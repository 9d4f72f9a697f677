"""What sources give: frames, and what stands in place of a frame that cannot be read."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

USUAL_RATE = Fraction(25)


@dataclass(frozen=True)
class Video:
    """The video or camera that a frame is from.

    Attributes:
        name (str): The path as given, or ``'camera 0'``.
        rate (Fraction): Frames per second; the average where it varies, 25 where it is unknown.
        size (tuple[int, int]): (w, h) of its frames in pixels, after rotation metadata.
        length (int | None): Number of frames as the file has it or as its duration makes likely, so an estimate; None
            for cameras and where the file says nothing.
        live (bool): A camera.
    """

    name: str
    rate: Fraction
    size: tuple[int, int]
    length: int | None
    live: bool = False


@dataclass(frozen=True, eq=False)
class Frame:
    """An image, or one image of a video or camera.

    Attributes:
        image (np.ndarray): (h, w, 3), BGR, uint8.
        name (str): For people: the path as given, ``'clip.mp4, frame 12'``, ``'camera 0, frame 3'``, ``'array 0'``.
        index (int): Its number in its video or camera, from 0; else its number among the images of the run. What
            could not be read is counted too.
        path (str | None): Of the image or video file; None for cameras and arrays.
        video (Video | None): None for single images and arrays.
    """

    image: np.ndarray
    name: str
    index: int
    path: str | None
    video: Video | None


@dataclass(frozen=True)
class Unreadable:
    """Takes the place of a frame that cannot be read.

    Attributes:
        name (str): As of a :class:`Frame`; of a video as a whole, its path.
        reason (str): What is wrong, to be read after the name: ``'is empty (0 bytes)'``.
    """

    name: str
    reason: str
