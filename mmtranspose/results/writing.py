"""Results drawn, written and shown while the next are computed."""

from __future__ import annotations

import errno
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, nullcontext

import numpy as np
from tqdm import tqdm

from mmtranspose.inference.background import Background
from mmtranspose.inference.pipeline import TopdownResult
from mmtranspose.results.results_folder import ResultDrawer, ResultsFolder
from mmtranspose.results.window import Window


class Progress:
    """A bar on the standard error, and the counts that a run ends with.

    Args:
        total (int | None): Frames; None where it is not known.

    Attributes:
        frames (int): Frames that were finished.
        people (int): People in them.
        skipped (int): What could not be used.
    """

    def __init__(self, total: int | None = None):
        self.frames = self.people = self.skipped = 0
        self._moving = False
        self._start = time.perf_counter()
        self._bar = tqdm(total=total, unit='frame', mininterval=0.5)

    def advance(self, result: TopdownResult) -> None:
        """A frame is finished."""
        self.frames += 1
        self.people += len(result.samples)
        self._moving |= result.frame.video is not None
        self._bar.set_postfix({'people/s': f'{self.people / self._seconds():.1f}'}, refresh=False)
        self._bar.update()

    def skip(self, name: str, reason: str) -> None:
        """Something was left out: say so."""
        self.skipped += 1
        tqdm.write(f'{name}: {reason}', file=sys.stderr)

    def close(self) -> None:
        """End the bar."""
        self._bar.close()

    def summary(self) -> str:
        """Counts and speed, for people."""
        unit = 'frame' if self._moving else 'image'
        speed = self.frames / self._seconds()
        counts = f'{_counted(self.frames, unit)}, {_counted(self.people, "pose")}, {self.skipped} skipped'
        return f'{counts}, {speed:.1f} {unit}s/s'

    def _seconds(self) -> float:
        return max(time.perf_counter() - self._start, 1e-9)


def _counted(number: int, what: str) -> str:
    return f'{number} {what}{"" if number == 1 else "s"}'


OF_ONE_FILE = (errno.ENAMETOOLONG, errno.EISDIR, None)  # None: a format that does not take the image


PATIENCE = 60.0  # seconds, to finish files


AHEAD = 2  # results that may wait to be drawn, and images to be shown


def put_out(
    results: Iterable[TopdownResult],
    draw: ResultDrawer,
    progress: Progress,
    folder: ResultsFolder | None = None,
    window: Window | None = None,
    strict: bool = False,
) -> None:
    """Draw results, write them and show them, each in a thread of its own; the window is this one's.

    However this ends - all done, the window closed, an error here or there, Ctrl-C - threads end and files are
    completed. Ctrl-C comes up in this thread alone, so that it tears no file.

    Args:
        results (Iterable[TopdownResult]): As a pipeline yields them; iterated in a thread.
        draw (ResultDrawer): Makes the images.
        progress (Progress): Told of every frame.
        folder (ResultsFolder | None): Where they are written.
        window (Window | None): Where they are shown; whoever closes it ends the run.
        strict (bool): Stop at a result whose own file cannot be written; else it is left out. Where no file can be
            written, as on a full disk, the run stops in any case.

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
    results: Iterable[TopdownResult], draw: ResultDrawer, folder: ResultsFolder | None, strict: bool
) -> Iterator[tuple[TopdownResult, np.ndarray, str | None]]:
    """Results with their images, once they are in the folder, and why they are not; it is completed at the end."""
    with folder or nullcontext():
        for result in results:
            drawn, fault = draw(result), None
            try:
                if folder is not None:
                    folder.write(result, drawn)
            except OSError as error:
                if strict or error.errno not in OF_ONE_FILE:
                    raise
                fault = f'its result cannot be written: {error}'
            yield result, drawn, fault
