"""Sources of person boxes: a detector, a file, an array, or the whole image (``'whole-image'``)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from torch import Tensor

from mmtranspose.crops.boxes import as_boxes, whole_image
from mmtranspose.detection import PersonDetector
from mmtranspose.errors import InputError
from mmtranspose.media import Frame
from mmtranspose.typing import BoxesLike

WHOLE_IMAGE = 'whole-image'

BoxSource: TypeAlias = Callable[[Sequence[Frame]], Sequence[BoxesLike]]
"""From frames to the boxes of each frame: (N, 4) or (N, 5), xyxy in pixels of the frame, and perhaps a score."""


def box_source(boxes: PersonDetector | BoxSource | BoxesLike | str) -> BoxSource:
    """The function from frames to boxes that ``boxes`` stands for.

    Args:
        boxes (PersonDetector | BoxSource | BoxesLike | str): A :class:`PersonDetector`; a
            :class:`~mmtranspose.inference.BoxFile` or another function from frames to boxes; boxes (N, 4) or (N, 5)
            that are the same for every frame; or ``'whole-image'``.

    Raises:
        InputError: ``boxes`` is none of these.
    """
    if isinstance(boxes, PersonDetector):
        return lambda frames: boxes([frame.image for frame in frames])
    if isinstance(boxes, str):
        if boxes != WHOLE_IMAGE:
            raise InputError(f"boxes={boxes!r}: the only name is '{WHOLE_IMAGE}'; a file is BoxFile({boxes!r})")
        return lambda frames: [whole_image(frame.image) for frame in frames]
    if callable(boxes):
        return boxes
    if isinstance(boxes, (np.ndarray, Tensor, Sequence)):
        same = as_boxes(boxes)  # type: ignore[arg-type]  # no text is left
        return lambda frames: [same.copy() for _ in frames]
    raise InputError(f'boxes must be a detector, a BoxFile, an array of boxes or {WHOLE_IMAGE!r}, not {boxes!r}')
