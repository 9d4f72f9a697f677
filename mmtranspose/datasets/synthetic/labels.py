"""The labels of the people in an image, and their annotations in COCO's format."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pycocotools import mask as maskUtils

from mmtranspose.datasets.synthetic.body_parts import DEPTH_BELOW_SURFACE, PARTS, SHOWS
from mmtranspose.datasets.synthetic.painter import Layer
from mmtranspose.datasets.synthetic.pinhole_camera import Camera
from mmtranspose.datasets.synthetic.placement import Actor
from mmtranspose.datasets.synthetic.skeleton import COCO_KEYPOINTS, coco_keypoints

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

MIN_MASK_AREA, MIN_VISIBLE_SHARE = 300, 0.06
"""People with fewer visible pixels, or a smaller share of the pixels that they would fill alone, are left out."""


@dataclass(frozen=True)
class Person:
    """The labels of one person.

    Attributes:
        keypoints: (17, 3), x, y in pixels and COCO's visibility (0 outside the image, with x = y = 0; 1 occluded;
            2 visible).
        mask: bool (h, w), the visible pixels.
        amodal_area: Number of pixels that the person would fill alone.
        family: The family of the pose.
    """

    keypoints: np.ndarray
    mask: np.ndarray
    amodal_area: int
    family: str

    @property
    def area(self) -> int:
        """Number of visible pixels."""
        return int(self.mask.sum())

    @property
    def bbox(self) -> tuple[int, int, int, int]:
        """Tight bounding box (x, y, w, h) of the visible pixels."""
        columns, rows = np.flatnonzero(self.mask.any(0)), np.flatnonzero(self.mask.any(1))
        return (int(columns[0]), int(rows[0]), int(columns[-1] - columns[0] + 1), int(rows[-1] - rows[0] + 1))


def visibility(keypoints: np.ndarray, depths: np.ndarray, layer: Layer, offset: int, height: float) -> np.ndarray:
    """Find COCO's visibility flags of one person's keypoints.

    A keypoint is visible if its pixel belongs to a part of this person that shows it, and if the surface there lies in
    front of it by no more than the thickness of flesh and cloth.

    Args:
        keypoints: (17, 2) pixels.
        depths: (17,) metres along the view.
        layer: Everything that was painted, at the image's resolution.
        offset: Number of the person's first part in ``layer.part``.
        height: The person's height in metres.

    Returns:
        (17,): 0 outside the image, 1 occluded, 2 visible.
    """
    rows, columns = layer.part.shape
    x, y = np.round(keypoints).astype(int).T
    inside = (x >= 0) & (y >= 0) & (x < columns) & (y < rows)
    x, y = np.clip(x, 0, columns - 1), np.clip(y, 0, rows - 1)
    part, surface = layer.part[y, x] - offset, layer.depth[y, x]
    own = (part >= 0) & (part < len(PARTS))
    near = depths - surface < DEPTH_BELOW_SURFACE * height
    return np.where(inside, 1 + (own & near & SHOWS[np.arange(17), np.where(own, part, 0)]), 0)


def describe(actor: Actor, offset: int, camera: Camera, layer: Layer, amodal_area: int) -> Person | None:
    """Make the labels of a person; ``None`` if too little of the person can be seen.

    Args:
        actor: The person.
        offset: Number of the person's first part in ``layer.part``.
        camera: The view, at the resolution of ``layer``.
        layer: Everything that was painted.
        amodal_area: Number of pixels that the person fills alone.
    """
    mask = (layer.part >= offset) & (layer.part < offset + len(PARTS))
    if np.count_nonzero(mask) < max(MIN_MASK_AREA, MIN_VISIBLE_SHARE * amodal_area):
        return None
    points = camera.to_camera(coco_keypoints(actor.look.shape, actor.skeleton))
    pixels = camera.project(points)
    flags = visibility(pixels, points[:, 2], layer, offset, actor.look.shape.height)
    labels = np.column_stack((np.where(flags[:, None] > 0, pixels, 0), flags))
    return Person(labels, mask, amodal_area, actor.family) if (flags > 0).any() else None


def file_name(image_id: int) -> str:
    """COCO's file name of an image, for example ``000000000001.jpg``."""
    return f'{image_id:012d}.jpg'


def encode_mask(mask: np.ndarray) -> dict[str, Any]:
    """Encode a bool mask (h, w) as COCO's compressed run lengths: one string, which data loaders copy cheaply."""
    encoded = maskUtils.encode(np.asfortranarray(mask, dtype=np.uint8))
    return dict(size=list(mask.shape), counts=encoded['counts'].decode('ascii'))


def person_annotation(person: Person) -> dict[str, Any]:
    """Make COCO's annotation of a person, without ids: plain Python numbers, pixels to two decimals."""
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


def coco_dataset(
    split: str, images: Sequence[dict[str, Any]], annotations: Sequence[dict[str, Any]], info: dict[str, Any]
) -> dict[str, Any]:
    """Make the content of an annotation file.

    Args:
        split: Name of the split, for the description.
        images: One ``dict(id, file_name, width, height)`` for each image.
        annotations: From :func:`person_annotation`, with ``image_id``; ``id`` is added here, from 1.
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
