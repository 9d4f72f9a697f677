"""COCO's image ids of pictures and frames."""

from __future__ import annotations

from pathlib import Path

from mmtranspose.apis.coco_images import image_entries
from mmtranspose.apis.config import read_json
from mmtranspose.apis.topdown.by_path import ByPath
from mmtranspose.errors import InputError
from mmtranspose.media import Frame


def ids_by_name(ann_file: str) -> ByPath[int | str]:
    """Ids of a COCO annotation file's images, by file name.

    Raises:
        InputError: The file cannot be read or is not in COCO's format.
    """
    entries = image_entries(read_json(Path(ann_file), 'annotation file'), f'annotation file {ann_file}')
    return ByPath({name: number for number, name in entries})


def number_in_name(frame: Frame) -> int | None:
    """The number that a picture's file name is, as COCO's are: 785 of ``000000000785.jpg``."""
    stem = Path(frame.path).stem if frame.path is not None else ''
    return int(stem) if stem.isdecimal() else None


class ImageIds:
    """Gives every frame an id of its own.

    A picture's is that of the annotation file, else the number that its file's name is; what has neither, and what
    would have an id twice, gets the next free number, from 0 on. A video's frames are numbered on from its first.

    Args:
        known (ByPath | None): Ids by file name, see :func:`ids_by_name`.
    """

    def __init__(self, known: ByPath[int | str] | None = None):
        self._known = known or ByPath({})
        self._unused = set(self._known.values())  # of them; each is given once
        self._taken = set(self._unused)
        self._next = 0  # ids below are given, or taken
        self._video: object = None
        self._first, self._last_index = 0, -1

    def __call__(self, frame: Frame) -> int | str:
        """The id; frames come in order."""
        if frame.video is not None:
            return self._of_video(frame)
        known = self._known_id(frame)
        if known is not None:
            return known
        number = number_in_name(frame)
        if number is None or number < self._next or number in self._taken:
            return self._free(self._next)
        self._taken.add(number)
        return number

    def _known_id(self, frame: Frame) -> int | str | None:
        try:
            known = self._known.get(frame.path or frame.name)
        except InputError:  # several would do
            return None
        if known not in self._unused:
            return None
        self._unused.remove(known)
        return known

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
