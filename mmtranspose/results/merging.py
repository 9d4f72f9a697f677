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

from mmtranspose.files.output_paths import flush, partial_file, remove_abandoned_partials
from mmtranspose.inference.image_ids import ImageIds
from mmtranspose.media import Frame, Video
from mmtranspose.results.finished_units import FinishedUnits
from mmtranspose.results.output_files import COCO_RESULTS, OutputFiles, OutputNames
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
    they are, so a merge that is stopped can be begun again. At the end all files are flushed to the disk.

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
    merged, names, folders = Merged(), OutputNames(root, given), {root}
    for number in range(units.count):  # all of them, before anything is written
        units.require_whole(number)
        merged.skipped += units.note(number).skipped
    coco = None if ids is None else CocoFile(root, ids)
    for number in range(units.count):
        place = _Places(units.folder(number), root)
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
        folders |= place.folders
    if coco is not None:
        coco.close()
    coco_file = root / COCO_RESULTS
    for path in (*([coco_file] if coco_file.is_file() else []), *sorted(folders)):
        flush(path)
    return merged


class _Places:
    """Puts the files of a unit where they belong."""

    def __init__(self, folder: Path, root: Path):
        self.folder, self.root = folder, root
        self.done: set[Path] = set()
        self.folders: set[Path] = set()  # where files were put

    def __call__(self, row: dict[str, Any], files: OutputFiles) -> None:
        """Place the files of a frame, or of the video that it is of; those of explanations keep their names."""
        targets = [(row['drawing'], files.drawing), (row.get('predictions'), files.predictions)]
        targets += [(name, self.root / name) for name in row.get('explanations', ())]
        for name, target in targets:
            if name is not None and self.folder / name not in self.done:
                self.done.add(self.folder / name)
                self._place(self.folder / name, target)

    def _place(self, path: Path, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        self.folders.add(target.parent)
        if target.exists() and target.samefile(path):
            return
        target.unlink(missing_ok=True)
        try:
            os.link(path, target)
        except OSError:  # the file system has no hard links
            with partial_file(target) as partial:
                shutil.copyfile(path, partial)
                flush(partial)


def _frame(row: dict[str, Any]) -> Frame:
    video = row['video'] and Video(
        row['video']['name'], Fraction(row['video']['rate']), tuple(row['video']['size']), row['video']['length']
    )
    return Frame(NO_IMAGE, row['name'], row['index'], row['path'], video)
