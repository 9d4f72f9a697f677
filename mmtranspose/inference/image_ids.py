"""COCO image ids of images and frames, and the look-up of values by file names that may lack folders."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Generic, TypeVar

from mmtranspose.errors import InputError
from mmtranspose.files.coco_format import image_entries
from mmtranspose.files.json_files import read_json
from mmtranspose.media import Frame, Video
from mmtranspose.typing import PathLike

T = TypeVar('T')


class PathSuffixMap(Generic[T]):
    """Maps file names to values, and finds the value of a path that has more or fewer folders than the name.

    Folders that both the name and the path have must agree.

    Args:
        values (Mapping[str, T]): Values by file name, with or without folders.
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
        """The value whose name is the longest suffix of ``path``.

        Failing that, the value of the only name that ``path`` is a suffix of; otherwise None.

        Raises:
            InputError: ``path`` is a suffix of several names.
        """
        parts = Path(path).parts
        names = self._names.get(parts[-1], []) if parts else []
        within = [name for name in names if parts[-len(name) :] == name]
        if within:
            return self._values[max(within, key=len)]
        around = [name for name in names if name[-len(parts) :] == parts]
        if len(around) > 1:
            several = ', '.join(str(Path(*name)) for name in around[:3])
            raise InputError(f'{path} may be any of {several}: name the image with its folders')
        return self._values[around[0]] if around else None


def ids_by_name(ann_file: PathLike) -> PathSuffixMap[int | str]:
    """Read the image ids of a COCO annotation file.

    Raises:
        InputError: The file cannot be read or is not in COCO format.
    """
    entries = image_entries(read_json(Path(ann_file), 'annotation file'), f'annotation file {ann_file}')
    return PathSuffixMap({name: number for number, name in entries})


def number_in_name(frame: Frame) -> int | None:
    """The image id that a file name such as COCO's stands for: 785 for ``000000000785.jpg``; None for other names."""
    stem = Path(frame.path).stem if frame.path is not None else ''
    return int(stem) if stem.isdecimal() else None


class ImageIds:
    """Gives every frame an image id of its own.

    The id of an image is the id in the annotation file or, failing that, the number that its file name consists of. An
    image with neither, or whose id is taken, gets the next free number, from 0 on. Frames of a video are numbered on
    from the first one's id.

    Args:
        known (PathSuffixMap | None): Ids by file name, from :func:`ids_by_name`.
    """

    def __init__(self, known: PathSuffixMap[int | str] | None = None):
        self._known: PathSuffixMap[int | str] = known or PathSuffixMap({})
        self._unused = set(self._known.values())  # known ids that no frame has yet; each is given once
        self._taken = set(self._unused)
        self._next = 0  # all ids below are given or taken
        self._video: Video | None = None
        self._first, self._last_index = 0, -1

    def __call__(self, frame: Frame) -> int | str:
        """The id of a frame; call with frames in order."""
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
        except InputError:  # several names fit
            return None
        if known is None or known not in self._unused:
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
