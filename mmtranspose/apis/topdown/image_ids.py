"""COCO's image ids of pictures and frames."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mmtranspose.apis.config import read_json
from mmtranspose.errors import InputError
from mmtranspose.media import Frame


def ids_by_name(ann_file: str) -> dict[str, int]:
    """Ids of a COCO annotation file's images, by file name with and without its folders.

    Raises:
        InputError: The file cannot be read, or its images have no ``file_name`` and ``id``.
    """
    content = read_json(Path(ann_file), 'annotation file')
    try:
        pairs = [(image['file_name'], image['id']) for image in content['images']]
    except (TypeError, KeyError) as error:
        raise InputError(f'annotation file {ann_file} must have images with file_name and id ({error!r})') from None
    return {Path(name).name: number for name, number in pairs} | dict(pairs)


def known_id(frame: Frame, ids: Mapping[str, int]) -> int | None:
    """A picture's id among those of :func:`ids_by_name`."""
    name = frame.path or frame.name
    return ids.get(name, ids.get(Path(name).name))


def number_in_name(frame: Frame) -> int | None:
    """The number that a picture's file name is, as COCO's are: 785 of ``000000000785.jpg``."""
    stem = Path(frame.path).stem if frame.path is not None else ''
    return int(stem) if stem.isdecimal() else None


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
        known = known_id(frame, self._known)
        if known is not None:
            return known
        number = number_in_name(frame)
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
