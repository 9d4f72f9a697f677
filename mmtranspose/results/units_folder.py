"""Write the results of units of work, each unit to a folder of its own, to be merged later."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from mmtranspose.files.json_files import JsonListFile
from mmtranspose.inference.pipeline import OnSkip, TopdownPipeline, TopdownResult
from mmtranspose.inference.work_units import UnitEnd
from mmtranspose.media import Frame, Source
from mmtranspose.results.finished_units import FinishedUnits
from mmtranspose.results.output_files import OutputFiles
from mmtranspose.results.prediction_files import coco_people
from mmtranspose.results.results_folder import ResultsFolder


def unit_results(
    pipeline: TopdownPipeline, source: Source, on_skip: OnSkip | None
) -> Iterator[TopdownResult | UnitEnd]:
    """The results of a source of units; each end says what was left out of its unit."""
    skipped: list[tuple[str, str]] = []

    def skip(name: str, reason: str) -> None:
        assert on_skip is not None
        skipped.append((name, reason))
        on_skip(name, reason)

    for result in pipeline.by_unit(source, None if on_skip is None else skip):
        if isinstance(result, UnitEnd):
            result = UnitEnd(result.number, tuple(skipped))
            skipped.clear()
        yield result


class UnitsFolder:
    """Writes the results of units to their folders, with what a merge needs to know of each frame.

    This is a context manager. A unit whose end has not come when it is left does not count as finished.

    Args:
        units (FinishedUnits): The folders.
        numbers (Sequence[int]): The units, in the order in which their results come.
        folder (Callable): From the folder of a unit to what writes results there, without ``results_coco.json``.
        category_id (int | str | None): The category of people; None where no predictions are written.
    """

    def __init__(
        self,
        units: FinishedUnits,
        numbers: Sequence[int],
        folder: Callable[[Path], ResultsFolder],
        category_id: int | str | None,
    ):
        self._units, self._numbers = units, iter(numbers)
        self._make, self._category_id = folder, category_id
        self._folder: ResultsFolder | None = None
        self._rows: JsonListFile | None = None
        self._frames = 0
        self._faults: list[tuple[str, str]] = []

    def __enter__(self) -> UnitsFolder:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def write(self, result: TopdownResult, drawn: np.ndarray) -> OutputFiles:
        """Write the results of a frame; see :meth:`ResultsFolder.write`."""
        folder, rows = self._opened()
        self._frames += 1
        try:
            files = folder.write(result, drawn)
        except OSError as error:  # if the run goes on without this file, the name of the file is taken all the same
            self._faults.append((result.frame.name, f'its result cannot be written: {error}'))
            rows.write(dict(frame=_of_frame(result.frame), people=len(result.samples)))
            raise
        row = dict(frame=_of_frame(result.frame), people=len(result.samples), drawing=files.drawing.name)
        if self._category_id is not None:
            row |= dict(predictions=files.predictions.name, entries=coco_people(result, self._category_id))
        if files.explanations:
            row['explanations'] = [path.relative_to(folder.root).as_posix() for path in files.explanations]
        rows.write(row)
        return files

    def end_unit(self, end: UnitEnd) -> None:
        """Complete the files of a unit, and say that it is finished."""
        self._opened()
        self._close()
        self._units.finish(end.number, [*end.skipped, *self._faults], self._frames)
        self._faults.clear()

    def _opened(self) -> tuple[ResultsFolder, JsonListFile]:
        if self._folder is None or self._rows is None:
            number = next(self._numbers)
            self._folder, self._frames = self._make(self._units.begin(number)), 0
            self._rows = JsonListFile(self._units.frames(number))
        return self._folder, self._rows

    def _close(self) -> None:
        with ExitStack() as stack:
            for file in (self._rows, self._folder):
                if file is not None:
                    stack.callback(file.close)
            self._folder = self._rows = None


def _of_frame(frame: Frame) -> dict[str, Any]:
    """A frame without its image, as JSON holds it."""
    video = frame.video and dict(
        name=frame.video.name, rate=str(frame.video.rate), size=frame.video.size, length=frame.video.length
    )
    return dict(name=frame.name, index=frame.index, path=frame.path, video=video)
