"""COCO's image ids of what results are of."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mmtranspose.media import Frame


class ImageIds:
    """Gives every frame an id of its own.

    A picture's is that of the annotation file, else the number that its file's name is; what has neither, and what
    would have an id twice, gets the next free number, from 0 on. A video's frames are numbered on from its first.

    Args:
        known (Mapping[str, int]): Ids by file name, of an annotation file.
    """

    def __init__(self, known: Mapping[str, int] | None = None):
        self._known = known or {}
        self._taken = set(self._known.values())
        self._next = 0  # ids below are given, or taken
        self._video: object = None
        self._first, self._last_index = 0, -1

    def __call__(self, frame: Frame) -> int:
        """The id; frames come in order."""
        if frame.video is not None:
            return self._of_video(frame)
        path = Path(frame.path or frame.name)
        for name in (str(path), path.name):
            if name in self._known:
                return self._known[name]
        number = int(path.stem) if frame.path is not None and path.stem.isdecimal() else None
        if number is None or number < self._next or number in self._taken:
            return self._free(self._next)
        self._taken.add(number)
        return number

    def _of_video(self, frame: Frame) -> int:
        if frame.video != self._video or frame.index <= self._last_index:
            self._first = self._next
        self._video, self._last_index = frame.video, frame.index
        return self._free(max(self._first + frame.index, self._next))

    def _free(self, number: int) -> int:
        while number in self._taken:
            number += 1
        self._next = number + 1
        return number
