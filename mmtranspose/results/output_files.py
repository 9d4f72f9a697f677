"""Name the files that hold the results of each input, without overwriting any file that was given.

Two checks go together. :func:`require_no_overwriting` runs before any work and refuses an output folder in which a
result named after its input would replace a given file. :class:`OutputNames` names the results as they come, and gives
a number to a result whose name is taken by another result or, for inputs that were not known beforehand, by a given
file.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mmtranspose.errors import InputError
from mmtranspose.media import Frame
from mmtranspose.media.inputs import VIDEO_SUFFIXES, is_pattern, matching_files, start_of, suffix_of
from mmtranspose.results.explanation_files import OVERLAYS
from mmtranspose.results.finished_units import PARTS
from mmtranspose.typing import PathLike

IN_COLOUR = ('.jpg', '.jpeg', '.png', '.bmp', '.webp', '.tif', '.tiff')  # other images become PNG
COCO_RESULTS = 'results_coco.json'


@dataclass(frozen=True)
class OutputFiles:
    """The files with the results of one image, video or camera.

    Attributes:
        drawing (Path): The image with the poses drawn; for a video or camera, a video (``.mp4``).
        predictions (Path): The JSON file.
        explanations (tuple[Path, ...]): The files that explain the poses of an image, where asked for.
    """

    drawing: Path
    predictions: Path
    explanations: tuple[Path, ...] = ()


class OutputNames:
    """Names the files of results in one folder after their inputs, and numbers those of equal names.

    Args:
        root (PathLike): The folder.
        given (Iterable[Path]): Files that must not be overwritten.
    """

    def __init__(self, root: PathLike, given: Iterable[Path] = ()):
        self.root = Path(root)
        self._given = {os.path.realpath(path) for path in given}
        self._used = {Path(COCO_RESULTS).stem}
        self._last: Frame | None = None
        self._files: OutputFiles | None = None

    def __call__(self, frame: Frame) -> OutputFiles:
        """The files of a frame, the same object for all frames of a video; call with frames in order."""
        last, self._last = self._last, frame
        if self._files is None or last is None or not _is_next(frame, last):
            self._files = self._free(frame)
        return self._files

    def _free(self, frame: Frame) -> OutputFiles:
        stem, suffix = _name(frame)
        number, candidate = 1, stem
        while candidate in self._used or self._is_given(self._named(candidate, suffix)):
            number += 1
            candidate = f'{stem}_{number}'
        self._used.add(candidate)
        return self._named(candidate, suffix)

    def _named(self, stem: str, suffix: str) -> OutputFiles:
        return OutputFiles(self.root / f'{stem}{suffix}', self.root / f'{stem}.json')

    def _is_given(self, files: OutputFiles) -> bool:
        return any(os.path.realpath(path) in self._given for path in (files.drawing, files.predictions))


def _is_next(frame: Frame, last: Frame) -> bool:
    """Whether a frame follows the last one in the same run of a video."""
    return frame.video is not None and frame.video == last.video and frame.index > last.index


def _name(frame: Frame) -> tuple[str, str]:
    """Stem and suffix of the image or video with the results."""
    if frame.path is None:
        live = frame.video is not None and frame.video.live
        stem = 'webcam' if live else re.sub(r'\W+', '_', frame.video.name if frame.video else frame.name)
    else:
        stem = Path(frame.path).stem
    if frame.video is not None:
        return stem, '.mp4'
    suffix = Path(frame.path or '').suffix
    return stem, suffix if suffix.lower() in IN_COLOUR else '.png'


def input_files(inputs: Sequence[PathLike]) -> Iterator[Path]:
    """The files that inputs name: files, the files in folders, and the files that patterns match."""
    for given in map(str, inputs):
        if os.path.isdir(given):
            yield from (Path(entry.path) for entry in os.scandir(given))
        elif os.path.isfile(given):
            yield Path(given)
        else:
            yield from map(Path, glob.iglob(given, recursive=True))


def without_results(inputs: Sequence[str], root: PathLike) -> tuple[list[str], int]:
    """Leave out results of earlier calls: what a pattern that starts above the folder of the results matches there.

    Args:
        inputs (Sequence[str]): Files, folders, patterns and cameras.
        root (PathLike): The folder of the results.

    Returns:
        tuple[list[str], int]: The inputs, with the other files that such a pattern matches in its place; and the number
        of files that were left out.

    Raises:
        InputError: A pattern matches nothing else.
    """
    real_root, kept, count = Path(os.path.realpath(root)), [], 0
    for given in inputs:
        reaches = is_pattern(given) and Path(os.path.realpath(start_of(given))) in real_root.parents
        files = matching_files(given) if reaches else []
        others = [file for file in files if not _is_result(Path(os.path.realpath(file)), real_root)]
        if files and not others:
            raise InputError(f'input {given} matches only results in --output-root {root}; choose another folder')
        kept += others if len(others) < len(files) else [given]
        count += len(files) - len(others)
    return kept, count


def _is_result(path: Path, root: Path) -> bool:
    """Whether a file is where results are: in the folder itself, in that of parts, or beside a page."""
    if root not in path.parents:
        return False
    first, *below = path.relative_to(root).parts
    return not below or first == PARTS or first.endswith(OVERLAYS)


def require_no_overwriting(root: PathLike, inputs: Iterable[Path], others: Iterable[Path]) -> None:
    """Check that results named after their inputs would replace no file that was given.

    Args:
        root (PathLike): The folder of the results.
        inputs (Iterable[Path]): Images and videos.
        others (Iterable[Path]): Further files that are read.

    Raises:
        InputError: A given file would be replaced.
    """
    inputs = list(inputs)
    given = {os.path.realpath(path): path for path in (*inputs, *others)}
    targets = {Path(COCO_RESULTS)}
    for path in inputs:
        drawing = path.with_suffix('.mp4') if suffix_of(str(path)) in VIDEO_SUFFIXES else path
        targets |= {Path(drawing.name), Path(f'{path.stem}.json')}
    real_root = os.path.realpath(root)
    for target in sorted(targets):
        threatened = given.get(os.path.join(real_root, target))
        if threatened is not None and (threatened in inputs or suffix_of(str(target)) == '.json'):
            raise InputError(f'--output-root {root} would overwrite {threatened}; choose another folder')
