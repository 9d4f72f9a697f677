"""Drawn results as picture files and videos."""

from __future__ import annotations

import cv2
import numpy as np

from mmtranspose.apis.topdown.outputs.file_errors import naming
from mmtranspose.apis.topdown.outputs.names import OutputFiles
from mmtranspose.media import Frame, VideoWriter
from mmtranspose.visualization import write_image


class PictureFiles:
    """Writes pictures in their inputs' formats, and videos with their inputs' frame rates and sizes."""

    def __init__(self):
        self._video: VideoWriter | None = None
        self._files: OutputFiles | None = None

    def write(self, frame: Frame, drawn: np.ndarray, files: OutputFiles) -> None:
        """Write a frame with what was found in it (h, w, 3), BGR, uint8; a video's frames come in order."""
        if files is not self._files:
            self.close()
            self._files = files
        if frame.video is None:
            with naming(files.picture):
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
