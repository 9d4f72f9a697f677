"""Results drawn, written and shown while the next are computed."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, nullcontext

import numpy as np

from mmtranspose.apis.topdown.background import Background
from mmtranspose.apis.topdown.outputs.progress import Progress
from mmtranspose.apis.topdown.outputs.result_drawer import ResultDrawer
from mmtranspose.apis.topdown.outputs.results_folder import ResultsFolder
from mmtranspose.apis.topdown.outputs.window import Window
from mmtranspose.apis.topdown.result import TopdownResult

OF_ONE_FILE = (errno.ENAMETOOLONG, errno.EISDIR, None)  # None: a format that does not take the picture
PATIENCE = 60.0  # seconds, to finish files
AHEAD = 2  # results that may wait to be drawn, and pictures to be shown


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
        draw (ResultDrawer): Makes the pictures.
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
    """Results with their pictures, once they are in the folder, and why they are not; it is completed at the end."""
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
