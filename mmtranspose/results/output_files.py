"""Which files hold the results of which input."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mmtranspose.errors import InputError
from mmtranspose.media import Frame
from mmtranspose.media.inputs import VIDEO_SUFFIXES, suffix_of

IN_COLOUR = ('.jpg', '.jpeg', '.png', '.bmp', '.webp', '.tif', '.tiff')  # other images become PNG


COCO_RESULTS = 'results_coco.json'


@dataclass(frozen=True)
class OutputFiles:
    """The files of one image, video or camera.

    Attributes:
        image (Path): The image with what was found in it; of a video or camera the video (``.mp4``).
        predictions (Path): The JSON.
    """

    picture: Path
    predictions: Path


class OutputNames:
    """Names files in one folder after their inputs; those of equal names are numbered, and no input is overwritten.

    Args:
        root (str | Path): The folder.
        given (Iterable[Path]): Files that must not be overwritten.
    """

    def __init__(self, root: str | Path, given: Iterable[Path] = ()):
        self.root = Path(root)
        self._given = {os.path.realpath(path) for path in given}
        self._used = {Path(COCO_RESULTS).stem}
        self._last: Frame | None = None
        self._files: OutputFiles | None = None

    def __call__(self, frame: Frame) -> OutputFiles:
        """The files of a frame: the same object for all frames of a video, which come in order."""
        last, self._last = self._last, frame
        goes_on = frame.video is not None and last is not None and frame.video == last.video
        if not goes_on or frame.index <= last.index:
            self._files = self._free(frame)
        return self._files

    def _free(self, frame: Frame) -> OutputFiles:
        stem, suffix = _name(frame)
        number, candidate = 1, stem
        while candidate in self._used or self._harms(self._named(candidate, suffix)):
            number += 1
            candidate = f'{stem}_{number}'
        self._used.add(candidate)
        return self._named(candidate, suffix)

    def _named(self, stem: str, suffix: str) -> OutputFiles:
        return OutputFiles(self.root / f'{stem}{suffix}', self.root / f'{stem}.json')

    def _harms(self, files: OutputFiles) -> bool:
        return any(os.path.realpath(path) in self._given for path in (files.picture, files.predictions))


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


def input_files(inputs: Sequence[str]) -> Iterator[Path]:
    """The files that inputs name: themselves, those in folders, and those that patterns match."""
    for given in inputs:
        if os.path.isdir(given):
            yield from (Path(entry.path) for entry in os.scandir(given))
        elif os.path.isfile(given):
            yield Path(given)
        else:
            yield from map(Path, glob.iglob(given, recursive=True))


def require_no_overwriting(root: str | Path, inputs: Iterable[Path], others: Iterable[Path]) -> None:
    """Check that results which are named after their inputs would not replace anything given.

    Args:
        root (str | Path): Where results go.
        inputs (Iterable[Path]): Images and videos.
        others (Iterable[Path]): Further files that are read.

    Raises:
        InputError: They would.
    """
    inputs = list(inputs)
    given = {os.path.realpath(path): path for path in (*inputs, *others)}
    targets = {Path(COCO_RESULTS)}
    for path in inputs:
        picture = path.with_suffix('.mp4') if suffix_of(str(path)) in VIDEO_SUFFIXES else path
        targets |= {Path(picture.name), Path(f'{path.stem}.json')}
    real_root = os.path.realpath(root)
    for target in sorted(targets):
        threatened = given.get(os.path.join(real_root, target))
        if threatened is not None and (threatened in inputs or suffix_of(str(target)) == '.json'):
            raise InputError(f'--output-root {root} would overwrite {threatened}; choose another folder')
