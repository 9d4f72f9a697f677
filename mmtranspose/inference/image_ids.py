"""COCO's image ids of images and frames, and what belongs to a file by as much of its path as is known."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Generic, TypeVar

from mmtranspose.errors import InputError
from mmtranspose.files.coco_images import image_entries
from mmtranspose.files.json_files import read_json
from mmtranspose.media import Frame

T = TypeVar('T')


class ByPath(Generic[T]):
    """Values by file names, which may have folders before them; folders that both sides name must agree.

    Args:
        values (Mapping[str, T]): By file name.
    """

    def __init__(self, values: Mapping[str, T]):
        self._values = {Path(name).parts: value for name, value in values.items()}
        self._names: dict[str, list[tuple[str, ...]]] = {}
        for parts in self._values:
            self._names.setdefault(parts[-1] if parts else '', []).append(parts)

    def values(self) -> list[T]:
        """All values."""
        return list(self._values.values())

    def get(self, path: str) -> T | None:
        """The value of the longest name that the path ends in, else of the one that ends in the path; None: of none.

        Raises:
            InputError: Several names end in the path.
        """
        parts = Path(path).parts
        names = self._names.get(parts[-1], ()) if parts else ()
        within = [name for name in names if parts[-len(name) :] == name]
        if within:
            return self._values[max(within, key=len)]
        around = [name for name in names if name[-len(parts) :] == parts]
        if len(around) > 1:
            several = ', '.join(str(Path(*name)) for name in around[:3])
            raise InputError(f'{path} may be any of {several}: name the image with its folders')
        return self._values[around[0]] if around else None


def ids_by_name(ann_file: str) -> ByPath[int | str]:
    """Ids of a COCO annotation file's images, by file name.

    Raises:
        InputError: The file cannot be read or is not in COCO's format.
    """
    entries = image_entries(read_json(Path(ann_file), 'annotation file'), f'annotation file {ann_file}')
    return ByPath({name: number for number, name in entries})


def number_in_name(frame: Frame) -> int | None:
    """The number that an image's file name is, as COCO's are: 785 of ``000000000785.jpg``."""
    stem = Path(frame.path).stem if frame.path is not None else ''
    return int(stem) if stem.isdecimal() else None


class ImageIds:
    """Gives every frame an id of its own.

    An image's is that of the annotation file, else the number that its file's name is; what has neither, and what
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
