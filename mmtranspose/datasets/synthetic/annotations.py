"""COCO's dictionaries for pictures of people."""

from collections.abc import Sequence

import numpy as np
from pycocotools import mask as maskUtils

from mmtranspose.datasets.synthetic.labels import Person
from mmtranspose.datasets.synthetic.skeleton import COCO_KEYPOINTS

COCO_SKELETON = (
    (16, 14),
    (14, 12),
    (17, 15),
    (15, 13),
    (12, 13),
    (6, 12),
    (7, 13),
    (6, 7),
    (6, 8),
    (7, 9),
    (8, 10),
    (9, 11),
    (2, 3),
    (1, 2),
    (1, 3),
    (2, 4),
    (3, 5),
    (4, 6),
    (5, 7),
)

CATEGORY = dict(
    id=1,
    name='person',
    supercategory='person',
    keypoints=list(COCO_KEYPOINTS),
    skeleton=[list(edge) for edge in COCO_SKELETON],
)


def file_name(image_id: int) -> str:
    """COCO's name of a picture, for example ``000000000001.jpg``."""
    return f'{image_id:012d}.jpg'


def encode_mask(mask: np.ndarray) -> dict:
    """COCO's compressed run lengths of a bool mask (h, w): one string, so that data loaders copy it for free."""
    encoded = maskUtils.encode(np.asfortranarray(mask, dtype=np.uint8))
    return dict(size=list(mask.shape), counts=encoded['counts'].decode('ascii'))


def person_annotation(person: Person) -> dict:
    """COCO's annotation of a person, without the ids: plain Python numbers, pixels to two decimals."""
    keypoints = [[round(float(x), 2), round(float(y), 2), int(flag)] for x, y, flag in person.keypoints]
    return dict(
        keypoints=[value for point in keypoints for value in point],
        num_keypoints=sum(p[2] > 0 for p in keypoints),
        bbox=list(person.bbox),
        area=person.area,
        iscrowd=0,
        category_id=1,
        segmentation=encode_mask(person.mask),
    )


def coco_dataset(split: str, images: Sequence[dict], annotations: Sequence[dict], info: dict) -> dict:
    """The whole annotation file.

    Args:
        split: Its name, for the description.
        images: ``dict(id, file_name, width, height)`` each.
        annotations: As :func:`person_annotation` makes them, with ``image_id``; ``id`` is set here, from 1.
        info: Further entries of the file's ``info``.
    """
    numbered = [dict(id=number, **annotation) for number, annotation in enumerate(annotations, 1)]
    return dict(
        info=dict(description=f'synthetic people, {split}', **info),
        licenses=[],
        images=list(images),
        annotations=numbered,
        categories=[CATEGORY],
    )
