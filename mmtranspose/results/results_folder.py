"""Everything that is written of a run: drawn images and videos, predictions, explanations."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

import cv2
import numpy as np

from mmtranspose.errors import InputError
from mmtranspose.files.output_paths import errors_name
from mmtranspose.inference.pipeline import TopdownResult
from mmtranspose.media import Frame, VideoWriter, write_image
from mmtranspose.results.explanation_files import write_explanations
from mmtranspose.results.output_files import OutputFiles, OutputNames
from mmtranspose.results.prediction_files import PredictionFiles
from mmtranspose.visualization import PoseDrawer, draw_tracks, overlay_people
from mmtranspose.visualization.overlay import draw_caption, people_caption


class ResultDrawer:
    """Draws poses; beneath them what one keypoint depends on; and the numbers of people who are followed.

    Args:
        poses (PoseDrawer): Draws the poses.
        keypoint (str | int | None): Lay this keypoint's last-layer dependency maps of all people over the image.
        tracks (bool): Draw the samples' ``track_id``.
    """

    def __init__(self, poses: PoseDrawer, keypoint: str | int | None = None, tracks: bool = False):
        self.poses, self.keypoint, self.tracks = poses, keypoint, tracks

    def __call__(self, result: TopdownResult) -> np.ndarray:
        """(h, w, 3), or (2h, w, 3) with heatmaps; BGR, uint8. The frame is left as it is."""
        image, caption = result.frame.image, ''
        if self.keypoint is not None and result.explanations:
            last = result.explanations[0].num_layers - 1
            image = overlay_people(image, result.explanations, self.keypoint, last, caption='')
            caption = people_caption(result.explanations, self.keypoint, last, 'dependency')
        drawn = self.poses(image, result.samples)
        if self.tracks:
            draw_tracks(drawn, result.samples)
        draw_caption(drawn, caption)  # last, so that nothing covers it
        return drawn


class ImageFiles:
    """Writes images in their inputs' formats, and videos with their inputs' frame rates and sizes."""

    def __init__(self):
        self._video: VideoWriter | None = None
        self._files: OutputFiles | None = None

    def write(self, frame: Frame, drawn: np.ndarray, files: OutputFiles) -> None:
        """Write a frame with what was found in it (h, w, 3), BGR, uint8; a video's frames come in order."""
        if files is not self._files:
            self.close()
            self._files = files
        if frame.video is None:
            with errors_name(files.picture):
                write_image(files.picture, drawn)
            return
        if self._video is None:
            files.picture.parent.mkdir(parents=True, exist_ok=True)
            self._video = VideoWriter(files.picture, frame.video.rate, drawn.shape[1::-1])
        if drawn.shape[1::-1] != self._video.size:  # the source changes its size within the video
            drawn = cv2.resize(drawn, self._video.size, interpolation=cv2.INTER_AREA)
        self._video.write(drawn)

    def close(self) -> None:
        """Complete the video that is being written."""
        if self._video is not None:
            video, self._video = self._video, None
            video.close()


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
        with errors_name(files.picture.with_suffix('.html')):
            write_explanations(self.root, files.picture.name, result.frame.image, result.explanations)

    def close(self) -> None:
        """Complete the files."""
        with ExitStack() as stack:
            stack.callback(self._images.close)
            if self._predictions is not None:
                stack.callback(self._predictions.close)
