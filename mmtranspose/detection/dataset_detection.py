"""Find the people in all images of a dataset, and write the file of detector boxes that MMPose's datasets read."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.dist import barrier, is_main_process

from mmtranspose.detection.annotated_boxes import AnnotatedImages, box_ap, true_boxes
from mmtranspose.detection.people_category import category_of_people
from mmtranspose.detection.person_detector import PersonDetector
from mmtranspose.errors import InputError
from mmtranspose.files.coco_format import PERSON
from mmtranspose.files.output_paths import partial_file, require_output_file
from mmtranspose.files.resumable_arrays import Parts
from mmtranspose.loading.weights_comparison import weights_checksum
from mmtranspose.media import read_image
from mmtranspose.typing import PathLike

MAX_PARTS = 1000  # files that hold a run's results: many, so that a stop loses little, but few enough to check each


@dataclass(frozen=True)
class DatasetDetections:
    """The boxes that were found in a dataset.

    Attributes:
        detections (list[dict]): ``image_id``, ``category_id``, ``bbox`` [x, y, w, h] in pixels of the image, ``score``;
            image by image, and in each from the highest score down.
        skipped (dict[str, str]): The paths of images that could not be read, and why.
        ap (dict[str, float] | None): ``AP``, ``AP50``, ``AP75``, ``AR`` over the images that could be read, 0 to 1;
            None where the annotations have no boxes of the category, or boxes that cannot be used.
        category_id (int | str): The category that the annotated people carry, see :func:`category_of_people`; all
            ``detections`` have it, and ``ap`` is measured against it.
        ap_problem (str | None): Why the annotated boxes cannot be used, where that is so.
    """

    detections: list[dict[str, Any]]
    skipped: dict[str, str]
    ap: dict[str, float] | None
    category_id: int | str = PERSON
    ap_problem: str | None = None


def detect_dataset(
    detector: PersonDetector,
    ann_file: PathLike,
    img_root: PathLike,
    out: PathLike,
    batch_size: int = 8,
    strict: bool = False,
    progress: bool = True,
) -> DatasetDetections | None:
    """Find the people in all images of a dataset in COCO's format, and write their boxes as a config's ``bbox_file``.

    Boxes are kept in the folder ``OUT.parts`` as they are found, so that the same call goes on after a stop; the
    folder is removed when ``out`` is written. Several processes (of mmengine's process group) share the images.

    Args:
        detector (PersonDetector): The detector; its thresholds decide which boxes are written.
        ann_file (str | Path): The file that lists the images. Its boxes, if it has some, are the ground truth of AP.
        img_root (str | Path): The folder of the images; every ``file_name`` starts from it.
        out (str | Path): The JSON file to write.
        batch_size (int): The number of images that go through the network together.
        strict (bool): Stop at the first image that cannot be read, instead of leaving it out.
        progress (bool): Show a progress bar.

    Returns:
        DatasetDetections | None: The boxes on rank 0; None on other ranks.

    Raises:
        InputError: The annotation file or the folder cannot be used, ``OUT.parts`` holds boxes of another detector or
            dataset, no image can be read or, with ``strict``, an image cannot be read.
    """
    images = AnnotatedImages(ann_file, img_root)
    category, annotated = _annotated_boxes(detector, images)
    require_output_file(out, '--out', (ann_file, *images.paths))
    size = batch_size * -(-len(images) // (batch_size * MAX_PARTS))
    made_by = _made_by(detector, images, size)
    parts = Parts(Path(f'{out}.parts'), made_by, -(-len(images) // size), option='--out')
    share = parts.share()
    barrier()  # rank 0 may not remove the parts before every rank knows its share

    def detect(number: int) -> dict[str, np.ndarray]:
        indices = range(number * size, min((number + 1) * size, len(images)))
        return _detect(detector, images.paths, indices, batch_size, strict)

    parts.fill(detect, 'detection, parts' if progress else False, share)
    if not is_main_process():
        return None
    found = parts.read()
    if len(found['unread']) == len(images):
        shutil.rmtree(parts.root)
        raise InputError(f'none of the {len(images)} images could be read: {found["reasons"][0]}')
    detections = [_entry(images.ids[n], category, box) for n, box in zip(found['numbers'], found['boxes'])]
    with partial_file(out) as partial:
        partial.write_text(json.dumps(detections))
    shutil.rmtree(parts.root)
    skipped = {images.paths[n]: str(why) for n, why in zip(found['unread'], found['reasons'])}
    read = [image_id for image_id, path in zip(images.ids, images.paths) if path not in skipped]
    if isinstance(annotated, InputError):
        return DatasetDetections(detections, skipped, None, category, str(annotated))
    return DatasetDetections(detections, skipped, box_ap(annotated, read, detections), category)


def _annotated_boxes(
    detector: PersonDetector, images: AnnotatedImages
) -> tuple[int | str, list[dict[str, Any]] | InputError]:
    """The category of people and their ground-truth boxes, or why these cannot be used."""
    classes = detector.model.dataset_meta['classes']
    name = classes[detector.category] if classes else 'person'
    category = category_of_people(images.annotations, images.ann_file, name)
    try:
        return category, true_boxes(images.annotations, category, f'annotation file {images.ann_file}')
    except InputError as error:  # the boxes to be found do not depend on them
        return category, error


def _made_by(detector: PersonDetector, images: AnnotatedImages, size: int) -> dict[str, Any]:
    """All that the boxes depend on, except the content of the images."""
    return dict(
        weights=weights_checksum(detector.model),
        pipeline=repr(detector.model.cfg.test_dataloader.dataset.to_dict()),
        model=repr(detector.model.cfg.model.to_dict()),
        images=images.checksum(),
        images_per_part=size,
        category=detector.category,
        bbox_thr=detector.bbox_thr,
        nms_thr=detector.nms_thr,
    )


def _detect(
    detector: PersonDetector, paths: Sequence[str], indices: Sequence[int], batch_size: int, strict: bool
) -> dict[str, np.ndarray]:
    """The boxes of some images, and which images cannot be read; while a batch is detected, the next one is read."""
    owners, boxes, unread, reasons = [], [np.zeros((0, 5), np.float32)], [], []
    for batch in _batches(paths, indices, batch_size):
        images = {index: image for index, image in batch.items() if not isinstance(image, InputError)}
        for index, found in (batch | _found(detector, images)).items():
            if not isinstance(found, InputError):
                owners += [index] * len(found)
                boxes.append(found)
            elif strict:
                raise InputError(f'{paths[index]}: {found}')
            else:
                unread.append(index)
                reasons.append(str(found))
    return dict(
        numbers=np.array(owners, np.int64),
        boxes=np.concatenate(boxes),
        unread=np.array(unread, np.int64),
        reasons=np.array(reasons, np.str_),
    )


def _found(detector: PersonDetector, images: dict[int, np.ndarray]) -> dict[int, np.ndarray | InputError]:
    """The boxes (N, 5) in each image, or why the detector cannot take the image."""
    try:
        return dict(zip(images, detector(list(images.values()))))
    except InputError as error:
        if len(images) == 1:
            return dict.fromkeys(images, error)
        return {index: one for key, image in images.items() for index, one in _found(detector, {key: image}).items()}


def _batches(
    paths: Sequence[str], indices: Sequence[int], batch_size: int
) -> Iterator[dict[int, np.ndarray | InputError]]:
    """Images (h, w, 3), BGR, uint8, by their index, or why an image cannot be read; the next batch is read ahead."""
    with ThreadPoolExecutor(max_workers=2) as readers:
        waiting = None
        for start in [*range(0, len(indices), batch_size), None]:
            coming = None
            if start is not None:
                coming = {n: readers.submit(_read, paths[n]) for n in indices[start : start + batch_size]}
            if waiting is not None:
                yield {index: future.result() for index, future in waiting.items()}
            waiting = coming


def _read(path: str) -> np.ndarray | InputError:
    try:
        return read_image(path)
    except InputError as error:
        return error


def _entry(image_id: int | str, category: int | str, box: np.ndarray) -> dict[str, Any]:
    x1, y1, x2, y2, score = box.astype(np.float64)
    width, height = (max(round(float(extent), 3), 0.001) for extent in (x2 - x1, y2 - y1))
    bbox = [round(float(x1), 3), round(float(y1), 3), width, height]
    return dict(image_id=image_id, category_id=category, bbox=bbox, score=round(float(score), 6))
