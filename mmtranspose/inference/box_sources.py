"""Sources of person boxes: a detector, a file, an array, or the whole image (``'whole-image'``)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
from mmpose.evaluation.functional import nms
from torch import Tensor

from mmtranspose.crops.boxes import parse_boxes, whole_image
from mmtranspose.detection import PersonDetector
from mmtranspose.errors import InputError
from mmtranspose.files.json_files import read_json
from mmtranspose.inference.image_ids import PathSuffixMap, ids_by_name, number_in_name
from mmtranspose.media import Frame
from mmtranspose.typing import BoxesLike, PathLike

WHOLE_IMAGE = 'whole-image'

BoxSource: TypeAlias = Callable[[Sequence[Frame]], Sequence[BoxesLike]]
"""From frames to the boxes of each frame: (N, 4) or (N, 5), xyxy in pixels of the frame, and perhaps a score."""


def box_source(boxes: PersonDetector | BoxSource | BoxesLike | str) -> BoxSource:
    """The function from frames to boxes that ``boxes`` stands for.

    Args:
        boxes (PersonDetector | BoxSource | BoxesLike | str): A :class:`PersonDetector`; a :class:`BoxFile` or another
            function from frames to boxes; boxes (N, 4) or (N, 5) that are the same for every frame; or
            ``'whole-image'``.

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
        same = parse_boxes(list(boxes), 'boxes, number', check=False)
        return lambda frames: [same.copy() for _ in frames]
    raise InputError(f'boxes must be a detector, a BoxFile, an array of boxes or {WHOLE_IMAGE!r}, not {boxes!r}')


class BoxFile:
    """Boxes from a JSON file, for one image or many.

    The file holds one of

    - a list of boxes as :func:`mmtranspose.apis.load_bboxes` reads it: for a single image, or for every frame of videos
      and cameras;
    - a list of detections in COCO format, ``{"image_id", "category_id", "bbox": [x, y, w, h], "score"}``;
    - a dict from file names of images to lists of boxes.

    File names may have folders, which must then be the folders that the image lies in. The ``image_id`` of an image is
    the id in ``ann_file`` or, without one, the number that the file name consists of, as COCO's names do. The
    ``image_id`` of a frame is its number in its video, from 0; a file of detections is therefore for images or for one
    video.

    A box that is not finite, has no positive size or lies outside its image is left out when its turn comes.

    Args:
        path (PathLike): The file.
        ann_file (PathLike | None): COCO annotations, whose ``images`` list file names with their ids.
        bbox_thr (float): Boxes with a lower score are left out; a box without a score has score 1.
        nms_thr (float | None): Of boxes that overlap by a higher IoU, only the one of the highest score stays; None
            keeps all.
        category_id (int): Detections of other categories are left out; 1 is COCO's person.

    Raises:
        InputError: A file cannot be read or has another form.
    """

    def __init__(
        self,
        path: PathLike,
        ann_file: PathLike | None = None,
        bbox_thr: float = 0.0,
        nms_thr: float | None = None,
        category_id: int = 1,
    ):
        self.path = path
        self.nms_thr, self.bbox_thr, self.category_id = nms_thr, bbox_thr, category_id
        self._ids = None if ann_file is None else ids_by_name(ann_file)
        self._counted: str | None = None  # what the ids number, once one was asked for: images ('') or a video
        self._by_id: dict[str, np.ndarray] | None = None
        self._by_name: PathSuffixMap[np.ndarray] | None = None
        self._single = np.zeros((0, 5), np.float32)
        content = read_json(Path(path), 'box file')
        if content == []:
            self._by_id = {}  # nobody in any image
        elif isinstance(content, dict):
            self._by_name = PathSuffixMap({name: self._parsed(boxes, f', {name}') for name, boxes in content.items()})
        elif not isinstance(content, list):
            raise InputError(f'box file {path} must hold a list or a dict, not a {type(content).__name__}')
        elif any(isinstance(entry, dict) and 'image_id' in entry for entry in content):
            self._by_id = self._grouped(content)
        else:
            self._single = self._parsed(content, '')

    def __call__(self, frames: Sequence[Frame]) -> list[np.ndarray]:
        """Boxes (N, 5) of each frame, float32: xyxy in pixels and score.

        Raises:
            InputError: The file does not tell which boxes belong to a frame.
        """
        return [self._of(frame).copy() for frame in frames]

    def _of(self, frame: Frame) -> np.ndarray:
        if self._by_id == {}:
            return np.zeros((0, 5), np.float32)
        if self._by_id is not None:
            return self._by_id.get(str(self.image_id(frame)), np.zeros((0, 5), np.float32))
        if self._by_name is not None:
            found = self._by_name.get(frame.path or frame.name)
            if found is None:
                raise InputError(
                    f'{frame.name} is not in the box file {self.path}; an image without people needs an empty list'
                )
            return found
        if frame.video is None and frame.index > 0:
            raise InputError(
                f'{self.path} holds the boxes of one image, and {frame.name} is another image; give each image its own '
                'boxes, as {file name: boxes} or as detections with image_id'
            )
        return self._single

    def image_id(self, frame: Frame) -> int | str:
        """The COCO ``image_id`` of a frame.

        Raises:
            InputError: The id is not known.
        """
        video = '' if frame.video is None else frame.video.name
        self._counted = video if self._counted is None else self._counted
        if video != self._counted:
            raise InputError(
                f'{frame.name}: detections by image_id are for images or for the frames of one video, and there are '
                'other inputs too; run them separately'
            )
        if frame.video is not None:
            return frame.index
        if self._ids is not None:
            number = self._ids.get(frame.path or frame.name)
            if number is None:
                raise InputError(
                    f'{frame.name} is not among the images of the annotation file: its image_id is unknown'
                )
            return number
        number = number_in_name(frame)
        if number is None:
            raise InputError(
                f'{frame.name}: the detections in {self.path} name images by image_id, and the name of this file is '
                'not a number; give the annotation file that lists file names with their ids (--ann-file)'
            )
        return number

    def _grouped(self, entries: list) -> dict[str, np.ndarray]:
        groups: dict[str, list[dict]] = {}
        for index, entry in enumerate(entries):
            number = entry.get('image_id') if isinstance(entry, dict) else None
            if not isinstance(number, (int, str)):
                raise InputError(
                    f'box file {self.path}, entry {index}: an image_id is wanted, as other entries have: {entry!r}'
                )
            if entry.get('category_id', self.category_id) == self.category_id:
                groups.setdefault(str(number), []).append(entry)
        return {number: self._parsed(group, f', image_id {number}') for number, group in groups.items()}

    def _parsed(self, entries: object, where: str) -> np.ndarray:
        """The boxes of one image that pass the thresholds."""
        where = f'box file {self.path}{where}'
        if not isinstance(entries, list):
            raise InputError(f'{where}: a list of boxes is wanted, not a {type(entries).__name__}')
        boxes = parse_boxes(entries, f'{where}, entry', check=False)
        boxes = boxes[boxes[:, 4] >= self.bbox_thr]
        return boxes if self.nms_thr is None else boxes[nms(boxes, self.nms_thr)]
