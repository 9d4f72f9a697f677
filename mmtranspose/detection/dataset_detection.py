"""Find the people in all images of a dataset, and write the file of detector boxes that MMPose's datasets read."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.dist import barrier, is_main_process

from mmtranspose.detection.annotated_boxes import AnnotatedImages, TrueBoxes, box_ap, true_boxes
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
            None where the annotations have no boxes of the category.
        category_id (int | str): The category that the annotated people carry, see :func:`category_of_people`; all
            ``detections`` have it, and ``ap`` is measured against it.
        faults (list[str]): What is wrong with annotations that cannot be used; ``ap`` leaves out their images.
        notes (list[str]): Counts of annotated boxes that ``ap`` leaves out for other reasons.
    """

    detections: list[dict[str, Any]]
    skipped: dict[str, str]
    ap: dict[str, float] | None
    category_id: int | str = PERSON
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


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
    category = _category(detector, images)
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
        partial.write_text(json.dumps(detections), encoding='utf-8')
    shutil.rmtree(parts.root)
    skipped = {images.paths[n]: str(why) for n, why in zip(found['unread'], found['reasons'])}
    read = [image_id for image_id, path in zip(images.ids, images.paths) if path not in skipped]
    truth = true_boxes(images.annotations, category)
    measured = [image_id for image_id in read if image_id not in truth.faults.values()]
    ap = box_ap(truth.boxes, measured, detections)
    return DatasetDetections(detections, skipped, ap, category, [*truth.faults], _notes(truth, images, category))


def _category(detector: PersonDetector, images: AnnotatedImages) -> int | str:
    """The category that detections get: that of the annotated people."""
    classes = detector.model.dataset_meta['classes']
    name = classes[detector.category] if classes else 'person'
    return category_of_people(images.annotations, images.ann_file, name)


def _notes(truth: TrueBoxes, images: AnnotatedImages, category: int | str) -> list[str]:
    """How many annotated boxes no AP is measured against, although nothing is wrong with them."""
    known = set(images.ids)
    counts = {
        f'of other categories than {category!r}': truth.others,
        'of images that the annotation file does not list': sum(one['image_id'] not in known for one in truth.boxes),
    }
    return [f'{count} annotated boxes are {what}' for what, count in counts.items() if count]


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
