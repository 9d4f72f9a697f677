"""The boxes of people from a JSON file."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from mmpose.evaluation.functional import nms

from mmtranspose.crops.boxes import as_boxes, shortened
from mmtranspose.errors import InputError
from mmtranspose.files.coco_format import carried_categories, image_entries
from mmtranspose.files.json_files import read_json
from mmtranspose.inference.box_category import BoxCategory, choose_category
from mmtranspose.inference.box_entries import BoxEntry, OnFault, read_entries
from mmtranspose.inference.box_sources import WHOLE_IMAGE
from mmtranspose.inference.image_ids import PathSuffixMap, number_in_name
from mmtranspose.media import Frame
from mmtranspose.typing import PathLike

NOBODY = np.zeros((0, 5), np.float32)
ONE_KIND = (
    'detections by image_id are for images or for the frames of one video, and there are other inputs too; run them '
    'separately'
)


class UnlistedImage(InputError):
    """The annotation file that gives boxes their images lists other images than this one."""


class BoxFile:
    """Boxes from a JSON file, for one image or many.

    The file holds one of

    - a list of boxes as :func:`mmtranspose.apis.load_bboxes` reads it: for a single image, or for every frame of videos
      and cameras;
    - a list of detections in COCO format, ``{"image_id", "category_id", "bbox": [x, y, w, h], "score"}``;
    - a dict from file names of images to lists of boxes;
    - a whole annotation file in COCO format, whose annotations have the boxes and whose ``images`` have the names.

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
        category_id (int | str | None): Boxes of other categories are left out; boxes without a category stay. None
            takes the category that people carry in the annotations, else 1, else the only one in the file.
        on_skip (Callable | None): Called with the place and the reason of each entry that is no box, and is left out.
            None: such an entry raises an error.

    Attributes:
        category_id (int | str): The category of results from these boxes.
        ids (PathSuffixMap | None): The ``image_id`` of images by file name, where annotations are there.
        left_out (str): In words, how many boxes are left out for their category or by the thresholds, or that there
            are none at all; or empty.

    Raises:
        InputError: A file cannot be read or has another form; none of its entries is a box; several categories are
            there, and it is unknown which is that of people.
    """

    def __init__(
        self,
        path: PathLike,
        ann_file: PathLike | None = None,
        bbox_thr: float = 0.0,
        nms_thr: float | None = None,
        category_id: int | str | None = None,
        on_skip: OnFault | None = None,
    ):
        self.path, self.bbox_thr, self.nms_thr = path, bbox_thr, nms_thr
        self._where = f'box file {path}'
        if not Path(path).exists() and difflib.get_close_matches(str(path).lower(), [WHOLE_IMAGE], cutoff=0.8):
            raise InputError(f'{self._where} does not exist; did you mean {WHOLE_IMAGE}?')
        self._entries = read_entries(read_json(Path(path), 'box file'), self._where)
        self._report_faults(on_skip)
        self.ids: PathSuffixMap[int | str] | None = None
        carried = self._read_annotations(ann_file)
        counts = Counter(one.category for one in self._entries.boxes if one.category is not None)
        category = choose_category(counts, carried, category_id, self._where)
        self.category_id = category.id
        kept = [one for one in self._entries.boxes if one.category is None or str(one.category) == category.of_boxes]
        self._boxes = self._by_image(kept)
        self._names = PathSuffixMap({name: name for name in self._entries.images if self._entries.by == 'name'})
        self.left_out = self._left_out(counts, kept, category)
        self._counted: str | None = None  # what the ids number, once one was asked for: images ('') or a video
        self._asked: dict[str, None] = {}  # ids or names of frames so far, in order

    def __call__(self, frames: Sequence[Frame]) -> list[np.ndarray]:
        """Boxes (N, 5) of each frame, float32: xyxy in pixels and score.

        Raises:
            InputError: The file does not tell which boxes belong to a frame.
        """
        return [self._of(frame).copy() for frame in frames]

    def unmatched(self) -> str | None:
        """Say that the file has boxes, but not of any of the frames so far; None if it has, or no frame was asked."""
        if not self._asked or not self._entries.images or not self._asked.keys().isdisjoint(self._entries.images):
            return None
        cure = '' if self.ids is not None else '; name the annotation file that lists the ids (--ann-file)'
        return (
            f'{self._where}: none of its boxes is of an input: it has image_id {_few(self._entries.images)}, and the '
            f'inputs have {_few(self._asked)}{cure}'
        )

    def of_other_images(self) -> str:
        """Say how many boxes are of images that no frame so far was of, where there are others; else nothing."""
        other = [image for image in self._boxes if self._entries.by != 'one' and image not in self._asked]
        count, total = sum(len(self._boxes[image]) for image in other), len(self._entries.boxes)
        if not count or self.unmatched():
            return ''
        return f'{self._where}: {count} of {total} boxes are of images that were not read ({_few(other)})'

    def require_one_kind(self, moving: Sequence[bool]) -> None:
        """Check that all boxes by ``image_id`` can be told apart, before the frames are read.

        Args:
            moving (Sequence[bool]): Whether each of the inputs is a video.

        Raises:
            InputError: Detections by ``image_id`` are for images or for one video, and there are others too.
        """
        if self._entries.by == 'id' and any(moving) and len(moving) > 1:
            raise InputError(f'{self._where}: {ONE_KIND}')

    def _of(self, frame: Frame) -> np.ndarray:
        if not self._entries.images:
            return NOBODY
        if self._entries.by == 'id':
            number = str(self.image_id(frame))
            self._asked[number] = None
            return self._boxes.get(number, NOBODY)
        if self._entries.by == 'name':
            return self._of_name(frame)
        if frame.video is None and frame.index > 0:
            raise InputError(
                f'{self.path} holds the boxes of one image, and {frame.name} is another image; give each image its own '
                'boxes, as {file name: boxes} or as detections with image_id'
            )
        return self._boxes.get('', NOBODY)

    def _of_name(self, frame: Frame) -> np.ndarray:
        name = self._names.get(frame.path or frame.name)
        if name is None:
            raise InputError(
                f'{frame.name} is not in the box file {self.path}; an image without people needs an empty list'
            )
        self._asked[name] = None
        if name in self._entries.unusable:
            raise InputError(f'{self._where}, {name}: {self._entries.unusable[name]}')
        return self._boxes.get(name, NOBODY)

    def image_id(self, frame: Frame) -> int | str:
        """The COCO ``image_id`` of a frame.

        Raises:
            InputError: The id is not known.
        """
        video = '' if frame.video is None else frame.video.name
        self._counted = video if self._counted is None else self._counted
        if video != self._counted:
            raise InputError(f'{frame.name}: {ONE_KIND}')
        if frame.video is not None:
            return frame.index
        if self.ids is not None:
            number = self.ids.get(frame.path or frame.name)
            if number is None:
                raise UnlistedImage(
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

    def _report_faults(self, on_skip: OnFault | None) -> None:
        entries = self._entries
        faults = [(f'{self._where}, {where}', reason) for where, reason in entries.faults]
        unusable = [(f'{self._where}, {name}', reason) for name, reason in entries.unusable.items()]
        nothing_left = not entries.boxes and not entries.crowds
        if (faults or unusable) and (on_skip is None or nothing_left):
            raise InputError(': '.join((faults + unusable)[0]))
        for where, reason in faults:  # lists that are unusable are named when their image's turn comes
            assert on_skip is not None
            on_skip(where, reason)

    def _read_annotations(self, ann_file: PathLike | None) -> list[int | str]:
        """Read the ids of images by name; returns the categories that people carry."""
        content: object = self._entries.annotations
        where = self._where
        if ann_file is not None:
            content, where = read_json(Path(ann_file), 'annotation file'), f'annotation file {ann_file}'
        if ann_file is None and content is None:
            return []
        self.ids = PathSuffixMap({name: number for number, name in image_entries(content, where)})
        assert isinstance(content, dict)  # else image_entries raises
        return carried_categories(content)

    def _by_image(self, entries: Sequence[BoxEntry]) -> dict[str, np.ndarray]:
        """The boxes (N, 5) of each image that pass the thresholds."""
        grouped: dict[str, list[list[float]]] = {}
        for one in entries:
            grouped.setdefault(one.image, []).append(one.box)
        return {image: self._passing(as_boxes(boxes)) for image, boxes in grouped.items()}

    def _passing(self, boxes: np.ndarray) -> np.ndarray:
        """The boxes (N, 5) that pass the thresholds; boxes that are no boxes pass, to be named when they are used."""
        boxes = boxes[~(boxes[:, 4] < self.bbox_thr)]
        if self.nms_thr is None:
            return boxes
        sound = np.isfinite(boxes).all(1) & (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
        best = boxes[sound][nms(boxes[sound].astype(np.float64), self.nms_thr)]  # areas may exceed float32
        return np.concatenate([best, boxes[~sound]])

    def _left_out(self, counts: Counter[int | str], kept: Sequence[BoxEntry], category: BoxCategory) -> str:
        total = len(self._entries.boxes) + self._entries.crowds
        if not total and not self._entries.images:
            return f'{self._where} has no boxes: nobody is in any input'
        others = {one: count for one, count in counts.items() if str(one) != category.of_boxes}
        listed = ', '.join(f'{shortened(one)}: {count}' for one, count in others.items())
        reasons = {
            f'of other categories ({listed}), not of {category.of_boxes}': sum(others.values()),
            'crowd regions': self._entries.crowds,
            'left out by the thresholds of score and overlap': len(kept) - sum(map(len, self._boxes.values())),
        }
        said = [f'{count} of {total} boxes are {reason}' for reason, count in reasons.items() if count]
        said = [category.why, *said] if category.why else said
        return f'{self._where}: {"; ".join(said)}' if said else ''


def _few(ids: Iterable[str]) -> str:
    ids = list(ids)
    return f'{", ".join(shortened(one, str) for one in ids[:3])}{", ..." if len(ids) > 3 else ""}'
