"""Images of a dataset with their labels, as MMPose's dataset class reads them, to be looked at."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from mmengine.config import Config

from mmtranspose.dataset_check.annotation_file import read_annotations
from mmtranspose.dataset_check.annotations import Annotations
from mmtranspose.dataset_check.config_datasets import datasets_of
from mmtranspose.dataset_check.image_files import spread_evenly
from mmtranspose.errors import InputError
from mmtranspose.media import UnreadableImage, read_image
from mmtranspose.typing import DatasetMeta


@dataclass
class LabelledImage:
    """An image and the labels of its people.

    Attributes:
        image (np.ndarray): (h, w, 3), BGR, uint8.
        keypoints (np.ndarray): (P, K, 2): x, y in pixels of each labelled person.
        visibility (np.ndarray): (P, K): 0 for a keypoint without label, 1 for an occluded one, 2 for a visible one.
        boxes (np.ndarray): (N, 4): x, y, w, h in pixels; those of people without a labelled keypoint come last.
    """

    image: np.ndarray
    keypoints: np.ndarray
    visibility: np.ndarray
    boxes: np.ndarray


def labelled_images(
    cfg: Config, splits: Sequence[str] | None = None, most: int = 12
) -> tuple[str, DatasetMeta, list[LabelledImage]]:
    """Read images, with their labels, of the first dataset of a config's first split.

    Entries and images that cannot be read are left out. Images with people go before those without.

    Args:
        cfg (Config): From :func:`mmtranspose.loading.config.load_config`.
        splits (Sequence[str] | None): Of ``'train'``, ``'val'``, ``'test'``; None: all that the config has.
        most (int): Number of images to read, spread evenly over the dataset.

    Returns:
        tuple: The dataset's name in words, its metainfo, and the images.

    Raises:
        InputError: The dataset cannot be used, its annotation file cannot be read, or none of the images can.
    """
    dataset = datasets_of(cfg, splits)[0]
    found = read_annotations(dataset.dataset, bool(dataset.box_files), cfg.get('data_root') or '')
    images = list(_read(found, most))
    if not images:
        raise InputError(f'{dataset.name}: none of the images that {dataset.ann_file} names can be read')
    return dataset.name, dataset.dataset.metainfo, images


def _read(found: Annotations, most: int) -> Iterator[LabelledImage]:
    people: dict[Hashable, list[int]] = defaultdict(list)
    for index, person in enumerate(found.people):
        people[person.image_id].append(index)
    others: dict[Hashable, list[tuple]] = defaultdict(list)
    for image_id, box in found.boxes_alone:
        others[image_id].append(box)
    with_people = [one for one in found.images if one.id in people or one.id in others]
    flags = np.where(found.visible, 2, np.where(found.labelled, 1, 0))
    for one in spread_evenly(with_people or found.images, most):
        try:
            image = read_image(one.path)
        except UnreadableImage:
            continue
        own = people.get(one.id, [])
        boxes = np.array([*found.boxes[own], *others.get(one.id, [])], np.float64).reshape(-1, 4)
        yield LabelledImage(image, found.keypoints[own, :, :2], flags[own], boxes)
