"""Read frames from a camera."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction

import cv2

from mmtranspose.errors import InputError
from mmtranspose.media.frame import DEFAULT_RATE, Frame, Unreadable, Video


class CameraInput:
    """A camera, which stays open from construction until :meth:`close`.

    Args:
        index (int): Number of the camera, from 0.

    Raises:
        InputError: The camera cannot be opened.
    """

    length = None
    live = moving = True

    def __init__(self, index: int):
        self.name = f'camera {index}'
        self.capture = cv2.VideoCapture(index)
        if not self.capture.isOpened():
            self.close()
            raise InputError(f'{self.name} cannot be opened: is it plugged in, and used by no other program?')

    def read(self, image_numbers: Iterator[int]) -> Iterator[Frame | Unreadable]:  # noqa: ARG002  frames have their own
        """Yield frames as they arrive; when the camera gives no more, yield one :class:`Unreadable` and end."""
        video, index = None, 0
        while True:
            given, image = self.capture.read()
            if not given:
                after = f' after frame {index - 1}' if index else ''
                yield Unreadable(self.name, f'gave no image{after}: was it unplugged?')
                return
            h, w = image.shape[:2]
            video = video or Video(self.name, self._rate(), (w, h), None, live=True)
            yield Frame(image, f'{self.name}, frame {index}', index, None, video)
            index += 1

    def close(self) -> None:
        """Release the camera. May be called again."""
        self.capture.release()

    def _rate(self) -> Fraction:
        rate = self.capture.get(cv2.CAP_PROP_FPS)
        return Fraction(rate).limit_denominator(1001) if math.isfinite(rate) and rate > 0 else DEFAULT_RATE
