"""Results drawn, written and shown while the next are computed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

from mmtranspose.apis.topdown.background import Background
from mmtranspose.apis.topdown.outputs.progress import Progress
from mmtranspose.apis.topdown.outputs.result_drawer import ResultDrawer
from mmtranspose.apis.topdown.outputs.results_folder import ResultsFolder
from mmtranspose.apis.topdown.outputs.window import Window
from mmtranspose.apis.topdown.result import TopdownResult

AHEAD = 2  # results that may wait to be drawn


def put_out(
    results: Iterator[TopdownResult],
    draw: ResultDrawer,
    progress: Progress,
    folder: ResultsFolder | None = None,
    window: Window | None = None,
) -> None:
    """Draw results, and write and show them, here; what yields them works ahead in a thread.

    However this ends - all done, the window closed, an error here or there, Ctrl-C - threads end and files are
    completed.

    Args:
        results (Iterator[TopdownResult]): As a pipeline yields them.
        draw (ResultDrawer): Makes the pictures.
        progress (Progress): Told of every frame.
        folder (ResultsFolder | None): Where they are written.
        window (Window | None): Where they are shown; whoever closes it ends the run.
    """
    with ExitStack() as stack:
        background = stack.enter_context(Background())
        if window is not None:
            stack.callback(window.close)
        if folder is not None:
            stack.enter_context(folder)
        for result in background.ahead(results, AHEAD):
            drawn = draw(result)
            if folder is not None:
                folder.write(result, drawn)
            progress.advance(result)
            if window is not None and not window.show(drawn, result.frame.video is not None):
                break
