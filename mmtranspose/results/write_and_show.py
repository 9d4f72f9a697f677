"""Draw, write and show results while the next results are computed."""

from __future__ import annotations

import errno
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, nullcontext

import numpy as np
from tqdm import tqdm

from mmtranspose.files.text_tables import counted
from mmtranspose.inference.background import Background
from mmtranspose.inference.pipeline import TopdownResult
from mmtranspose.inference.work_units import UnitEnd
from mmtranspose.results.low_scores import LowScores
from mmtranspose.results.results_folder import ResultDrawer, ResultsFolder
from mmtranspose.results.units_folder import UnitsFolder
from mmtranspose.results.window import Window
from mmtranspose_cli.terminal import printable

OF_ONE_FILE = (errno.ENAMETOOLONG, errno.EISDIR, None)  # None: a format that does not take the image
PATIENCE = 60.0  # seconds that files get to be completed
AHEAD = 2  # results that may wait to be drawn, and images that may wait to be shown


class Progress:
    """A progress bar on the standard error, and the counts that are printed at the end of a run.

    Args:
        total (int | None): Number of frames; None where it is unknown.
        shown (bool): Show the bar.
        low_scores (LowScores | None): Looks at each result; what it says is printed at the end.

    Attributes:
        frames (int): Number of frames that are finished.
        people (int): Number of people in these frames.
        skipped (int): Number of frames and boxes that could not be used.
    """

    def __init__(self, total: int | None = None, shown: bool = True, low_scores: LowScores | None = None):
        self._low_scores = low_scores
        self.frames = self.people = self.skipped = 0
        self._moving = False
        self._start = time.perf_counter()
        self._bar = tqdm(total=total, unit='frame', mininterval=0.5, disable=not shown)

    def advance(self, result: TopdownResult) -> None:
        """Count a finished frame and its people."""
        self.frames += 1
        self.people += len(result.samples)
        self._moving |= result.frame.video is not None
        if self._low_scores is not None:
            scores = [one.pred_instances.keypoint_scores[0] for one in result.samples]
            self._low_scores.add(result.frame.name, scores)
        self._bar.set_postfix({'people/s': f'{self.people / self._seconds():.1f}'}, refresh=False)
        self._bar.update()

    def skip(self, name: str, reason: str) -> None:
        """Count what is left out, and print its name and the reason."""
        self.skipped += 1
        tqdm.write(printable(f'{name}: {reason}'), file=sys.stderr)

    def note(self, text: str) -> None:
        """Print a line that concerns no single frame; nothing if it is empty."""
        if text:
            tqdm.write(printable(text), file=sys.stderr)

    def close(self) -> None:
        """End the bar, and warn of low scores."""
        self._bar.close()
        if self._low_scores is not None:
            self.note(self._low_scores.sentence())

    def summary(self) -> str:
        """The counts and the speed in words."""
        unit = 'frame' if self._moving else 'image'
        speed = self.frames / self._seconds()
        counts = f'{counted(self.frames, unit)}, {counted(self.people, "pose")}, {self.skipped} skipped'
        return f'{counts}, {speed:.1f} {unit}s/s'

    def _seconds(self) -> float:
        return max(time.perf_counter() - self._start, 1e-9)


def write_and_show(
    results: Iterable[TopdownResult | UnitEnd],
    draw: ResultDrawer,
    progress: Progress,
    folder: ResultsFolder | UnitsFolder | None = None,
    window: Window | None = None,
    strict: bool = False,
) -> None:
    """Draw and write results in threads, and show them in a window of this thread.

    When this function ends, whether all is done, the window was closed, or after an error or Ctrl-C, its threads have
    ended and all files are complete. KeyboardInterrupt is raised in this thread only, so no file is left half-written.

    Args:
        results (Iterable[TopdownResult | UnitEnd]): Results of a pipeline; iterated in a thread.
        draw (ResultDrawer): Draws each result.
        progress (Progress): Counts each result.
        folder (ResultsFolder | UnitsFolder | None): Writes the results; is told of the ends of units.
        window (Window | None): Shows the results; closing the window ends the run.
        strict (bool): Stop at a result whose own file cannot be written, instead of leaving the result out. Errors that
            concern all files, such as a full disk, always stop the run.

    Raises:
        OSError: Files cannot be written.
    """
    with ExitStack() as stack:
        if window is not None:
            stack.callback(window.close)
        background = stack.enter_context(Background(PATIENCE))
        written = _written(background.ahead(results, AHEAD), draw, folder, strict)
        for result, drawn, fault in background.ahead(written, AHEAD):
            progress.advance(result)
            if fault is not None:
                progress.skip(result.frame.name, fault)
            if window is not None and not window.show(drawn, result.frame.video is not None):
                break


def _written(
    results: Iterable[TopdownResult | UnitEnd],
    draw: ResultDrawer,
    folder: ResultsFolder | UnitsFolder | None,
    strict: bool,
) -> Iterator[tuple[TopdownResult, np.ndarray, str | None]]:
    """Draw and write each result; yield it with its image, and the reason or None if it could not be written."""
    with folder or nullcontext():
        for result in results:
            if isinstance(result, UnitEnd):
                if folder is not None:
                    folder.end_unit(result)
                continue
            drawn, fault = draw(result), None
            try:
                if folder is not None:
                    folder.write(result, drawn)
            except OSError as error:
                if strict or error.errno not in OF_ONE_FILE:
                    raise
                fault = f'its result cannot be written: {error}'
            yield result, drawn, fault
