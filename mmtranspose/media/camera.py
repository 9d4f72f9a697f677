"""Cameras to frames."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction

import cv2

from mmtranspose.errors import InputError
from mmtranspose.media.frame import USUAL_RATE, Frame, Unreadable, Video


class Camera:
    """A camera, open from the start and until :meth:`close`.

    Args:
        index (int): Its number, from 0.

    Raises:
        InputError: It cannot be opened.
    """

    length = None
    live = moving = True

    def __init__(self, index: int):
        self.name = f'camera {index}'
        self.capture = cv2.VideoCapture(index)
        if not self.capture.isOpened():
            self.close()
            raise InputError(f'{self.name} cannot be opened: is it plugged in, and used by no other program?')

    def read(self, numbers: Iterator[int]) -> Iterator[Frame | Unreadable]:
        """Frames as they come, numbered by themselves, until the camera gives no more; this is an unreadable."""
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
        """Give the camera back. May be called again."""
        self.capture.release()

    def _rate(self) -> Fraction:
        rate = self.capture.get(cv2.CAP_PROP_FPS)
        return Fraction(rate).limit_denominator(1001) if math.isfinite(rate) and rate > 0 else USUAL_RATE
