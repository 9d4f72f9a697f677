"""Draw results, and write them to a folder: images and videos, predictions, explanations."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import replace
from itertools import chain
from pathlib import Path

import cv2
import numpy as np

from mmtranspose.errors import InputError
from mmtranspose.inference.pipeline import TopdownResult
from mmtranspose.inference.work_units import UnitEnd
from mmtranspose.media import Frame, VideoWriter, write_image
from mmtranspose.results.explanation_files import write_explanations
from mmtranspose.results.output_files import OutputFiles, OutputNames
from mmtranspose.results.prediction_files import PredictionFiles
from mmtranspose.typing import PathLike
from mmtranspose.visualization import PoseDrawer, draw_tracks, overlay_people
from mmtranspose.visualization.overlay import draw_caption, people_caption


class ResultDrawer:
    """Draws poses, beneath them what one keypoint depends on, and the numbers of tracked people.

    Args:
        poses (PoseDrawer): Draws the poses.
        keypoint (str | int | None): Draw the last layer's dependency maps of this keypoint, for all people.
        tracks (bool): Draw the ``track_id`` of the samples.
    """

    def __init__(self, poses: PoseDrawer, keypoint: str | int | None = None, tracks: bool = False):
        self.poses, self.keypoint, self.tracks = poses, keypoint, tracks

    def __call__(self, result: TopdownResult) -> np.ndarray:
        """Draw over a copy of the frame: (h, w, 3), or (2h, w, 3) with heatmaps; BGR, uint8."""
        image, caption = result.frame.image, ''
        if self.keypoint is not None and result.explanations:
            last = result.explanations[0].num_layers - 1
            image = overlay_people(image, result.explanations, self.keypoint, last, caption='')
            caption = people_caption(result.explanations, self.keypoint, last, 'dependency')
        drawn = self.poses(image, result.samples)
        if self.tracks:
            draw_tracks(drawn, result.samples)
        if caption:
            draw_caption(drawn, caption)  # last, so that nothing covers it
        return drawn


class FrameWriter:
    """Writes drawn frames: images in the formats of their inputs, videos with the frame rates of their inputs."""

    def __init__(self) -> None:
        self._video: VideoWriter | None = None
        self._files: OutputFiles | None = None

    def write(self, frame: Frame, drawn: np.ndarray, files: OutputFiles) -> None:
        """Write a drawn frame (h, w, 3), BGR, uint8; call with frames in order."""
        if files is not self._files:
            self.close()
            self._files = files
        if frame.video is None:
            write_image(files.drawing, drawn)
            return
        h, w = drawn.shape[:2]
        if self._video is None:
            self._video = VideoWriter(files.drawing, frame.video.rate, (w, h))
        if (w, h) != self._video.size:  # the source changes its size within the video
            drawn = cv2.resize(drawn, self._video.size, interpolation=cv2.INTER_AREA)
        self._video.write(drawn)

    def close(self) -> None:
        """Complete the video that is being written."""
        if self._video is not None:
            video, self._video = self._video, None
            video.close()


class ResultsFolder:
    """Writes the results of frames to a folder.

    This is a context manager, which completes the files at its end, also after an error.

    Args:
        root (PathLike): The folder; made with the first result.
        given (Iterable[Path]): Files that must not be overwritten.
        predictions (PredictionFiles | None): Writes the JSON; None writes no JSON.
        pages (bool): Write all files of :func:`write_explanations` for each image.
    """

    def __init__(
        self,
        root: PathLike,
        given: Iterable[Path] = (),
        predictions: PredictionFiles | None = None,
        pages: bool = False,
    ):
        self.root = Path(root)
        self._names = OutputNames(root, given)
        self._frames, self._predictions, self._pages = FrameWriter(), predictions, pages

    def __enter__(self) -> ResultsFolder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write(self, result: TopdownResult, drawn: np.ndarray) -> OutputFiles:
        """Write the results of a frame, and return the names of its files; call with frames in order.

        Args:
            result (TopdownResult): The people of the frame.
            drawn (np.ndarray): (h, w, 3), BGR, uint8: the frame with the people drawn.

        Raises:
            InputError: A page was asked for, and the frame is of a video.
            OSError: A file cannot be written; the error names it.
        """
        if self._pages and result.frame.video is not None:
            raise InputError(f'--explain page is for images, not {result.frame.video.name}; name a keypoint instead')
        files = self._names(result.frame)
        self._frames.write(result.frame, drawn, files)
        if self._predictions is not None:
            self._predictions.write(result, files)
        if self._pages and result.explanations:
            kinds = write_explanations(self.root, files.drawing.name, result.frame.image, result.explanations)
            return replace(files, explanations=tuple(map(Path, chain.from_iterable(kinds.values()))))
        return files

    def end_unit(self, end: UnitEnd) -> None:
        """Do nothing: all units are written to one folder."""

    def close(self) -> None:
        """Complete the files."""
        with ExitStack() as stack:
            stack.callback(self._frames.close)
            if self._predictions is not None:
                stack.callback(self._predictions.close)
