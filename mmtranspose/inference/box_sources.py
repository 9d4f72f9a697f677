"""Where the boxes of people come from: a detector, a file, a hand, or the whole image when asked for by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from mmpose.evaluation.functional import nms

from mmtranspose.crops.boxes import parse_boxes, whole_image
from mmtranspose.detection import PersonDetector
from mmtranspose.errors import InputError
from mmtranspose.files.json_files import read_json
from mmtranspose.inference.image_ids import ByPath, ids_by_name, number_in_name
from mmtranspose.media import Frame

WHOLE_IMAGE = 'whole-image'


BoxSource = Callable[[Sequence[Frame]], list[np.ndarray]]
"""Frames to the boxes of each: (N, 5), xyxy in pixels of the frame and score, float32."""


def box_source(boxes: object) -> BoxSource:
    """The source that ``boxes`` stands for.

    Args:
        boxes (object): ``'whole-image'``; a :class:`PersonDetector`; a :class:`BoxFile` or another function from frames
            to boxes; or boxes by hand, (N, 4) or (N, 5), the same for every frame.

    Raises:
        InputError: It is none of these.
    """
    if isinstance(boxes, PersonDetector):
        return lambda frames: boxes([frame.image for frame in frames])
    if isinstance(boxes, str):
        if boxes != WHOLE_IMAGE:
            raise InputError(f"boxes={boxes!r}: the only name is '{WHOLE_IMAGE}'; a file is BoxFile({boxes!r})")
        return lambda frames: [whole_image(frame.image) for frame in frames]
    if callable(boxes):
        return boxes
    if isinstance(boxes, (np.ndarray, Sequence)):
        same = parse_boxes(list(boxes), 'boxes, number', check=False)
        return lambda frames: [same.copy() for _ in frames]
    raise InputError(f'boxes must be a detector, a BoxFile, an array of boxes or {WHOLE_IMAGE!r}, not {boxes!r}')


class BoxFile:
    """Boxes from a JSON file, for one image or many.

    The file holds one of

    - a list of boxes as :func:`mmtranspose.apis.load_bboxes` takes them: for a single image, or every frame of
      videos and cameras;
    - a list of detections as COCO has them, ``{"image_id", "category_id", "bbox" [x, y, w, h], "score"}``;
    - a dict from each image's file name to its list of boxes.

    Names may have folders, which then must be those that the image lies in. An image's ``image_id`` is what
    ``ann_file`` says, else the number that its file's name is (as COCO's are); a frame's is its number in its video,
    from 0, so that a file by ids is for images or for one video.

    A box that is not finite, has no positive size or lies outside its image is left out when its turn comes.

    Args:
        path (str): The file.
        ann_file (str | None): COCO annotations, whose ``images`` give each file name's id.
        bbox_thr (float): Boxes with a lower score are left out; one without a score has 1.
        nms_thr (float | None): Of boxes that overlap more (IoU) the highest score stays; None keeps all.
        category_id (int): Detections of other categories are left out; 1 is COCO's person.

    Raises:
        InputError: A file cannot be read or has another form.
    """

    def __init__(
        self,
        path: str,
        ann_file: str | None = None,
        bbox_thr: float = 0.0,
        nms_thr: float | None = None,
        category_id: int = 1,
    ):
        self.path = path
        self.nms_thr, self.bbox_thr, self.category_id = nms_thr, bbox_thr, category_id
        self._ids = None if ann_file is None else ids_by_name(ann_file)
        self._counted: tuple[str, ...] = ()  # what ids count, once one was asked for: images ('') or a video
        self._by_id = self._by_name = self._single = None
        content = read_json(Path(path), 'box file')
        if content == []:
            self._by_id = {}  # nobody anywhere
        elif isinstance(content, dict):
            self._by_name = ByPath({name: self._parsed(boxes, f', {name}') for name, boxes in content.items()})
        elif not isinstance(content, list):
            raise InputError(f'box file {path} must hold a list or a dict, not a {type(content).__name__}')
        elif any(isinstance(entry, dict) and 'image_id' in entry for entry in content):
            self._by_id = self._grouped(content)
        else:
            self._single = self._parsed(content, '')

    def __call__(self, frames: Sequence[Frame]) -> list[np.ndarray]:
        """Boxes (N, 5) of each frame.

        Raises:
            InputError: Which boxes are a frame's cannot be told.
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
                    f'{frame.name} is not in the box file {self.path}; where nobody is, it has an empty list'
                )
            return found
        if frame.video is None and frame.index > 0:
            raise InputError(
                f'{frame.name} is another image than the one whose boxes {self.path} holds; give each its own as '
                '{file name: boxes}, or detections with image_id'
            )
        return self._single

    def image_id(self, frame: Frame) -> int | str:
        """COCO's id of a frame.

        Raises:
            InputError: It is not known.
        """
        video = '' if frame.video is None else frame.video.name
        self._counted = self._counted or (video,)
        if video not in self._counted:
            raise InputError(
                f'{frame.name}: detections by image_id are for images or for the frames of one video, and there are '
                'other inputs too; give those their own run'
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
                f'{frame.name}: the detections in {self.path} go by image_id, and the name of this file is no number; '
                'give the annotation file that has both (--ann-file)'
            )
        return number

    def _grouped(self, entries: list) -> dict[str, np.ndarray]:
        groups: dict[str, list[dict]] = {}
        for index, entry in enumerate(entries):
            number = entry.get('image_id') if isinstance(entry, dict) else None
            if not isinstance(number, (int, str)):
                raise InputError(
                    f'box file {self.path}, entry {index}: an image_id is wanted, as others have: {entry!r}'
                )
            if entry.get('category_id', self.category_id) == self.category_id:
                groups.setdefault(str(number), []).append(entry)
        return {number: self._parsed(group, f', image_id {number}') for number, group in groups.items()}

    def _parsed(self, entries: object, where: str) -> np.ndarray:
        """One image's boxes that the thresholds leave."""
        where = f'box file {self.path}{where}'
        if not isinstance(entries, list):
            raise InputError(f'{where}: a list of boxes is wanted, not a {type(entries).__name__}')
        boxes = parse_boxes(entries, f'{where}, entry', check=False)
        boxes = boxes[boxes[:, 4] >= self.bbox_thr]
        return boxes if self.nms_thr is None else boxes[nms(boxes, self.nms_thr)]
