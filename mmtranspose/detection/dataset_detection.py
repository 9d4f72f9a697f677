"""People in all images of a dataset, as the file of detector boxes that MMPose's datasets read."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mmengine.dist import barrier, is_main_process
from mmengine.fileio import put_text

from mmtranspose.detection.annotated_boxes import AnnotatedImages, box_ap, true_boxes
from mmtranspose.detection.person_detector import PersonDetector
from mmtranspose.errors import InputError
from mmtranspose.files.output_paths import require_output_file
from mmtranspose.files.resumable_arrays import Parts
from mmtranspose.loading.weights_comparison import weights_checksum
from mmtranspose.media import read_image

MAX_PARTS = 1000  # files of a run: enough to lose little by a stop, few enough to look for


@dataclass(frozen=True)
class DatasetDetections:
    """What a run over a dataset has found.

    Attributes:
        detections (list[dict]): ``image_id``, ``category_id`` (1, MMPose's person), ``bbox`` [x, y, w, h] in pixels,
            ``score``; image by image, best first.
        skipped (dict[str, str]): Images that could not be read, and why.
        ap (dict[str, float] | None): ``AP``, ``AP50``, ``AP75``, ``AR`` over the images that could be read; None
            where the annotations have no boxes of such things.
    """

    detections: list[dict]
    skipped: dict[str, str]
    ap: dict[str, float] | None


def detect_dataset(
    detector: PersonDetector,
    ann_file: str | Path,
    img_root: str | Path,
    out: str | Path,
    batch_size: int = 8,
    strict: bool = False,
    progress: bool = True,
) -> DatasetDetections | None:
    """Find people in all images of a COCO-format dataset and write the boxes where ``bbox_file`` can name them.

    Boxes are kept below ``OUT.parts`` as they come: the same call goes on after a stop. The folder goes when ``out``
    is written. In several processes (mmengine's process group) each takes its share.

    Args:
        detector (PersonDetector): Its thresholds hold.
        ann_file (str | Path): Lists the images; its boxes, where it has some, are what AP is measured by.
        img_root (str | Path): The folder that its ``file_name`` are below.
        out (str | Path): The JSON file to write.
        batch_size (int): Images that go through the network together.
        strict (bool): Stop at the first image that cannot be read; else it is left out.
        progress (bool): Show a bar.

    Returns:
        DatasetDetections | None: None on other ranks than 0.

    Raises:
        InputError: The annotation file or folder cannot be used, ``OUT.parts`` holds boxes of something else, or,
            with ``strict``, an image cannot be read.
    """
    pictures = AnnotatedImages(ann_file, img_root)
    truths = _true_boxes(detector, pictures)
    require_output_file(out, '--out', (ann_file, *pictures.paths))
    size = batch_size * -(-len(pictures) // (batch_size * MAX_PARTS))
    made_by = _made_by(detector, pictures, size)
    parts = Parts(Path(f'{out}.parts'), made_by, -(-len(pictures) // size), option='--out')
    share = parts.share()
    barrier()  # rank 0 may not remove the parts before all know theirs

    def detect(number: int) -> dict[str, np.ndarray]:
        numbers = range(number * size, min((number + 1) * size, len(pictures)))
        return _detect(detector, pictures.paths, numbers, batch_size, strict)

    parts.fill(detect, progress and 'detection, parts', share)
    if not is_main_process():
        return None
    found = parts.read()
    if len(found['unread']) == len(pictures):
        shutil.rmtree(parts.root)
        raise InputError(f'none of the {len(pictures)} images could be read: {found["reasons"][0]}')
    detections = [_entry(pictures.ids[n], box) for n, box in zip(found['numbers'], found['boxes'])]
    put_text(json.dumps(detections), str(out))
    shutil.rmtree(parts.root)
    skipped = {pictures.paths[n]: str(why) for n, why in zip(found['unread'], found['reasons'])}
    read = [image_id for image_id, path in zip(pictures.ids, pictures.paths) if path not in skipped]
    return DatasetDetections(detections, skipped, box_ap(truths, read, detections))


def _true_boxes(detector: PersonDetector, pictures: AnnotatedImages) -> list[dict]:
    classes = detector.model.dataset_meta['classes']
    category = pictures.category_id(classes[detector.category] if classes else 'person')
    return true_boxes(pictures.annotations, category, f'annotation file {pictures.ann_file}')


def _made_by(detector: PersonDetector, pictures: AnnotatedImages, size: int) -> dict:
    """What the boxes depend on, but for the images themselves."""
    return dict(
        weights=weights_checksum(detector.model),
        pipeline=repr(detector.model.cfg.test_dataloader.dataset.to_dict()),
        model=repr(detector.model.cfg.model.to_dict()),
        pictures=pictures.checksum(),
        images_per_part=size,
        category=detector.category,
        bbox_thr=detector.bbox_thr,
        nms_thr=detector.nms_thr,
    )


def _detect(
    detector: PersonDetector, paths: Sequence[str], numbers: Sequence[int], batch_size: int, strict: bool
) -> dict[str, np.ndarray]:
    """The boxes of some images, and which of them could not be read; the next batch is read meanwhile."""
    owners, boxes, unread, reasons = [], [np.zeros((0, 5), np.float32)], [], []
    for batch in _batches(paths, numbers, batch_size):
        images = {number: image for number, image in batch.items() if not isinstance(image, InputError)}
        for number, found in (batch | _found(detector, images)).items():
            if not isinstance(found, InputError):
                owners += [number] * len(found)
                boxes.append(found)
            elif strict:
                raise InputError(f'{paths[number]}: {found}')
            else:
                unread.append(number)
                reasons.append(str(found))
    return dict(
        numbers=np.array(owners, np.int64),
        boxes=np.concatenate(boxes),
        unread=np.array(unread, np.int64),
        reasons=np.array(reasons, np.str_),
    )


def _found(detector: PersonDetector, images: dict[int, np.ndarray]) -> dict[int, np.ndarray | InputError]:
    """Boxes (N, 5) in each image, or why the detector cannot take it."""
    try:
        return dict(zip(images, detector(list(images.values()))))
    except InputError as error:
        if len(images) == 1:
            return dict.fromkeys(images, error)
        return {number: one for key, image in images.items() for number, one in _found(detector, {key: image}).items()}


def _batches(
    paths: Sequence[str], numbers: Sequence[int], batch_size: int
) -> Iterator[dict[int, np.ndarray | InputError]]:
    """Images by their numbers, (h, w, 3), BGR, uint8, or why one cannot be read."""
    starts = range(0, len(numbers), batch_size)
    with ThreadPoolExecutor(max_workers=2) as readers:
        waiting = None
        for start in [*starts, None]:
            coming = None
            if start is not None:
                coming = {n: readers.submit(_read, paths[n]) for n in numbers[start : start + batch_size]}
            if waiting is not None:
                yield {number: future.result() for number, future in waiting.items()}
            waiting = coming


def _read(path: str) -> np.ndarray | InputError:
    try:
        return read_image(path)
    except InputError as error:
        return error


def _entry(image_id: int | str, box: np.ndarray) -> dict:
    x1, y1, x2, y2, score = box.astype(np.float64)
    width, height = (max(round(float(extent), 3), 0.001) for extent in (x2 - x1, y2 - y1))
    bbox = [round(float(x1), 3), round(float(y1), 3), width, height]
    return dict(image_id=image_id, category_id=1, bbox=bbox, score=round(float(score), 6))
