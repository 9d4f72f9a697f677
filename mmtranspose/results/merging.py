"""Merge the results of units of work into what one process writes."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from mmtranspose.files.output_paths import partial_file, remove_abandoned_partials
from mmtranspose.inference.image_ids import ImageIds
from mmtranspose.media import Frame, Video
from mmtranspose.results.finished_units import FinishedUnits
from mmtranspose.results.output_files import OutputFiles, OutputNames
from mmtranspose.results.prediction_files import CocoFile

NO_IMAGE = np.zeros((0, 0, 3), np.uint8)


@dataclass
class Merged:
    """The counts of a whole run.

    Attributes:
        frames (int): Number of frames.
        people (int): Number of people in these frames.
        skipped (list[tuple[str, str]]): Name and reason of each frame or box that was left out.
    """

    frames: int = 0
    people: int = 0
    skipped: list[tuple[str, str]] = field(default_factory=list)


def merge_units(
    units: FinishedUnits,
    root: Path,
    given: Iterable[Path],
    ids: ImageIds | None,
    on_frame: Callable[[Frame], None],
) -> Merged:
    """Write the results of all units to the folder that one process would have written.

    Names and image ids depend on the frames before, of other units too, and so they are given here. The units stay as
    they are, so a merge that is stopped can be begun again.

    Args:
        units (FinishedUnits): All of them.
        root (Path): The folder of the results.
        given (Iterable[Path]): Files that must not be overwritten.
        ids (ImageIds | None): Gives the entries in COCO's form their ``image_id``; None where there are no predictions.
        on_frame (Callable): Called with each frame, without its image.

    Raises:
        InputError: A unit is damaged or was made with other settings.
    """
    remove_abandoned_partials(root)  # of a merge that was killed
    merged, names = Merged(), OutputNames(root, given)
    for number in range(units.count):
        merged.skipped += units.skipped(number)
    coco = None if ids is None else CocoFile(root, ids)
    for number in range(units.count):
        place = _Places(units, number, root)
        for row in units.rows(number):
            frame = _frame(row['frame'])
            files = names(frame)
            merged.frames += 1
            merged.people += row['people']
            on_frame(frame)
            if 'drawing' not in row:  # its files could not be written
                continue
            if coco is not None:
                coco.write(frame, row['entries'])
            place(row, files)
        place.others()
    if coco is not None:
        coco.close()
    return merged


class _Places:
    """Puts the files of a unit where they belong."""

    def __init__(self, units: FinishedUnits, number: int, root: Path):
        self.units, self.number, self.root = units, number, root
        self.folder = units.folder(number)
        self.done: set[Path] = set()

    def __call__(self, row: dict[str, Any], files: OutputFiles) -> None:
        """Place the files of a frame, or of the video that it is of."""
        for name, target in ((row['drawing'], files.drawing), (row.get('predictions'), files.predictions)):
            if name is not None and self.folder / name not in self.done:
                self.done.add(self.folder / name)
                self._place(self.folder / name, target)

    def others(self) -> None:
        """Place the files of explanations, which keep their names."""
        for path in sorted(self.folder.rglob('*')) if self.folder.is_dir() else ():
            if path.is_file() and path not in self.done and path.suffix != '.partial':
                self._place(path, self.root / path.relative_to(self.folder))

    def _place(self, path: Path, target: Path) -> None:
        if not path.is_file():
            raise self.units.damaged(self.number, f'{path.relative_to(self.units.root)} is missing')
        if target.exists() and target.samefile(path):
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        try:
            os.link(path, target)
        except OSError:  # the file system has no hard links
            with partial_file(target) as partial:
                shutil.copyfile(path, partial)


def _frame(row: dict[str, Any]) -> Frame:
    video = row['video'] and Video(
        row['video']['name'], Fraction(row['video']['rate']), tuple(row['video']['size']), row['video']['length']
    )
    return Frame(NO_IMAGE, row['name'], row['index'], row['path'], video)
