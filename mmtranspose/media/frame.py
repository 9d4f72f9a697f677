"""What a source yields: frames, and the account of a frame that cannot be read."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

DEFAULT_RATE = Fraction(25)  # frames per second, where a file or camera does not say


@dataclass(frozen=True)
class Video:
    """The video or camera that a frame comes from.

    Attributes:
        name (str): The path as given, or ``'camera 0'``.
        rate (Fraction): Frames per second; the average where the rate varies, 25 where it is unknown.
        size (tuple[int, int]): (w, h) of the frames in pixels, after rotation by the file's metadata.
        length (int | None): Estimated number of frames, from the file's frame count or duration; None for cameras and
            for files that tell neither.
        live (bool): Whether this is a camera.
    """

    name: str
    rate: Fraction
    size: tuple[int, int]
    length: int | None
    live: bool = False


@dataclass(frozen=True, eq=False)
class Frame:
    """A single image, or one frame of a video or camera.

    Attributes:
        image (np.ndarray): (h, w, 3), BGR, uint8.
        name (str): Name for messages: the path as given, ``'clip.mp4, frame 12'``, ``'camera 0, frame 3'``,
            ``'array 0'``.
        index (int): Number of the frame in its video or camera, or of the image among the images of the run, from 0.
            Frames and images that cannot be read count too.
        path (str | None): Path of the image or video file; None for cameras and arrays.
        video (Video | None): The video or camera; None for images and arrays.
    """

    image: np.ndarray
    name: str
    index: int
    path: str | None
    video: Video | None


@dataclass(frozen=True)
class Unreadable:
    """Takes the place of a frame, an image or a whole video that cannot be read.

    Attributes:
        name (str): Name of the frame as in :class:`Frame`, or the path of the video.
        reason (str): What is wrong, worded to follow the name: ``'is empty (0 bytes)'``.
    """

    name: str
    reason: str
