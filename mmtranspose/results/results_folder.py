"""Everything that is written of a run."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from mmtranspose.errors import InputError
from mmtranspose.files.json_list_file import naming
from mmtranspose.inference.pipeline import TopdownResult
from mmtranspose.results.drawn_images import ImageFiles
from mmtranspose.results.explanation_files import write_explanations
from mmtranspose.results.output_files import OutputFiles, OutputNames
from mmtranspose.results.prediction_files import PredictionFiles


class ResultsFolder:
    """Writes frames' results below a folder; a context manager, which completes its files after an error too.

    Args:
        root (str | Path): The folder; made with the first result.
        given (Iterable[Path]): Files that must not be overwritten.
        predictions (PredictionFiles | None): Writes the JSON; None leaves it out.
        pages (bool): Write of each image all that :func:`write_explanations` does.
    """

    def __init__(
        self,
        root: str | Path,
        given: Iterable[Path] = (),
        predictions: PredictionFiles | None = None,
        pages: bool = False,
    ):
        self.root = Path(root)
        self._names = OutputNames(root, given)
        self._images, self._predictions, self._pages = ImageFiles(), predictions, pages

    def __enter__(self) -> ResultsFolder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write(self, result: TopdownResult, drawn: np.ndarray) -> None:
        """Write a frame's results.

        Args:
            result (TopdownResult): Frames come in order.
            drawn (np.ndarray): (h, w, 3), BGR, uint8: the frame with what was found in it.

        Raises:
            InputError: A video's frame is to be explained on a page.
            OSError: A file cannot be written; it is named.
        """
        if self._pages and result.frame.video is not None:
            raise InputError(f'--explain page is for images, not {result.frame.video.name}; name a keypoint instead')
        files = self._names(result.frame)
        self._images.write(result.frame, drawn, files)
        if self._predictions is not None:
            self._predictions.write(result, files)
        if self._pages and result.explanations:
            self._write_page(result, files)

    def _write_page(self, result: TopdownResult, files: OutputFiles) -> None:
        with naming(files.picture.with_suffix('.html')):
            write_explanations(self.root, files.picture.name, result.frame.image, result.explanations)

    def close(self) -> None:
        """Complete the files."""
        with ExitStack() as stack:
            stack.callback(self._images.close)
            if self._predictions is not None:
                stack.callback(self._predictions.close)
