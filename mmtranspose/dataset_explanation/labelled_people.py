"""The labelled people of a config's test data: as crops for the network, with their ground truth in image and crop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import BaseDataset, pseudo_collate
from mmengine.registry import init_default_scope
from mmpose.registry import DATASETS
from mmpose.structures import PoseDataSample
from torch import Tensor

from mmtranspose.compat.prints import without_prints
from mmtranspose.crops.crop_affine import record_affines
from mmtranspose.dataset_check.before_run import check_data
from mmtranspose.errors import InputError
from mmtranspose.explain import PoseExplanation
from mmtranspose.keypoint_names import keypoint_index, keypoint_names
from mmtranspose.loading.leaf_datasets import take_annotated_boxes
from mmtranspose.typing import Batch, DatasetMeta

KEYPOINT_FIELDS = ('keypoints', 'foot_kpts', 'face_kpts', 'lefthand_kpts', 'righthand_kpts')  # last four: whole bodies
TORSO = ('left_shoulder', 'right_shoulder', 'left_hip', 'right_hip')
UNKNOWN_VISIBILITY = 3
LARGEST_AREA = 2  # of the box, whose edges may be rounded or clipped
MOST_NAMED = 5  # people, of those that are wrong in the same way
UNKNOWN_AREA = 0.53  # of the box; MMPose's and COCO's share of a person in a box without a known area


@dataclass(frozen=True)
class GroundTruth:
    """The annotation of one person, in pixels of the image.

    Attributes:
        id (int): Number of the sample in the dataset.
        keypoints (np.ndarray): (K, 2), (x, y); NaN where not labelled.
        visibility (np.ndarray): (K,): 2 visible, 1 occluded, 0 not labelled (COCO's flags); 3 labelled, but not known
            whether visible or occluded.
        area (float): In square pixels.
    """

    id: int
    keypoints: np.ndarray
    visibility: np.ndarray
    area: float

    @classmethod
    def of(cls, id: int, sample: PoseDataSample) -> GroundTruth:
        """Read the annotation of a sample.

        MMPose reduces COCO's flags to labelled or not; where the sample keeps the raw annotation they come from there.
        Keypoints that were fitted to another dataset (MMPose's ``KeypointConverter``) stand in another order than the
        raw annotation, so nobody knows whether they are visible or occluded.
        """
        instances = sample.gt_instances
        raw = sample.metainfo.get('raw_ann_info') or {}
        return cls._read(id, instances.keypoints[0], instances.keypoints_visible[0], instances.bboxes[0], raw)

    @classmethod
    def of_info(cls, id: int, info: dict[str, Any]) -> GroundTruth:
        """Read the annotation of a dataset's ``get_data_info``, without the image."""
        raw = info.get('raw_ann_info') or {}
        return cls._read(id, info['keypoints'][0], info['keypoints_visible'][0], info['bbox'][0], raw)

    @classmethod
    def _read(
        cls, id: int, points: np.ndarray, visible: np.ndarray, bbox: np.ndarray, raw: dict[str, Any]
    ) -> GroundTruth:
        keypoints = np.array(points[:, :2], float)
        labelled = _are_labelled(visible)
        visibility = np.where(labelled, UNKNOWN_VISIBILITY, 0)
        flags = np.concatenate([np.ravel(raw.get(field, [])) for field in KEYPOINT_FIELDS])[2::3]
        if np.ndim(visible) == 1 and np.array_equal(flags > 0, labelled):
            visibility = flags.astype(int)
        keypoints[visibility == 0] = np.nan
        x1, y1, x2, y2 = bbox
        area = float(raw.get('area') or 0) or UNKNOWN_AREA * float((x2 - x1) * (y2 - y1))
        return cls(id, keypoints, visibility, area)


def _are_labelled(visible: np.ndarray) -> np.ndarray:
    """Which keypoints (K,) have labels, by ``keypoints_visible`` (K,), or (K, 2) with KeypointConverter's weights."""
    return np.asarray(visible).reshape(len(visible), -1)[:, 0] > 0


class LabelledPeople:
    """People of a data loader's dataset, in their annotated boxes, in a seeded order.

    Args:
        cfg (Config): The config; a file of detector boxes that it names is removed from it, because such boxes come
            without keypoints.
        max_samples (int | None): Number of people, drawn at random; None for all.
        seed (int): Seed of the order.
        loader (str): The config's field of the data loader, ``'test_dataloader'`` or ``'val_dataloader'``.

    Attributes:
        labelled (list[int]): Numbers in the dataset of all people who have a labelled keypoint.
        order (list[int]): Of those that were drawn.

    Raises:
        InputError: The config lacks the data loader, a file of the dataset is missing, nobody in it is labelled, an
            area cannot be used, or the dataset has no sigmas.
    """

    def __init__(self, cfg: Config, max_samples: int | None, seed: int, loader: str = 'test_dataloader'):
        init_default_scope(cfg.get('default_scope', 'mmpose'))
        if not cfg.get(loader):
            raise InputError(f'the config has no {loader}, so it names no people')
        made_by = cfg[loader].dataset
        take_annotated_boxes(made_by)
        check_data(cfg, (loader,), evaluation=False)
        with without_prints():
            self.dataset = DATASETS.build(dict(made_by, serialize_data=False))  # or empty ones fail
        record_affines(self.dataset)
        infos = ((index, self.dataset.get_data_info(index)) for index in range(len(self.dataset)))
        self.labelled = [
            index for index, info in infos if any(_are_labelled(one).any() for one in info.get('keypoints_visible', ()))
        ]
        if len(self.metainfo.get('sigmas', ())) != self.metainfo['num_keypoints']:
            raise InputError(
                f"{made_by.type} has no sigma for each keypoint, by which OKS and the keypoints' "
                "discs are scaled; give them in the dataset's metainfo"
            )
        if not self.labelled:
            raise InputError(
                f'{made_by.get("ann_file")}: no person with labelled keypoints; name annotations by --cfg-options '
                f'{loader}.dataset.ann_file=...'
            )
        _require_areas(self.dataset, self.labelled)
        self.order = np.random.default_rng(seed).permutation(self.labelled)[:max_samples].tolist()

    def __len__(self) -> int:
        return len(self.order)

    @property
    def metainfo(self) -> DatasetMeta:
        """The dataset's keypoint names, sigmas and flip pairs."""
        return self.dataset.metainfo

    def batch(self, start: int, stop: int) -> tuple[Batch, list[GroundTruth]]:
        """Give the people from ``start`` to ``stop``: a batch as from a data loader, and the ground truth of each."""
        return self.batch_of(self.order[start:stop])

    def batch_of(self, indices: Sequence[int]) -> tuple[Batch, list[GroundTruth]]:
        """Give people by their numbers in the dataset, as :meth:`batch` does."""
        batch = pseudo_collate([self.dataset[i] for i in indices])
        return batch, [GroundTruth.of(i, sample) for i, sample in zip(indices, batch['data_samples'])]


def _require_areas(dataset: BaseDataset, people: Sequence[int]) -> None:
    """Check the annotated areas, by which distances are judged; an area of 0, or none, is unknown.

    Raises:
        InputError: An area is no number, not positive, or larger than the person's box can hold.
    """
    wrong = []
    for index in people:
        info = dataset.get_data_info(index)
        raw = info.get('raw_ann_info') or {}
        x1, y1, x2, y2 = np.ravel(info['bbox'])[:4]
        area = raw.get('area') or 0
        if not (isinstance(area, (int, float)) and 0 <= area <= LARGEST_AREA * (x2 - x1) * (y2 - y1)):
            wrong.append(
                f'annotation {raw.get("id")!s:.40} has area {area!s:.40} in a box of {x2 - x1:g} x {y2 - y1:g}'
            )
    if wrong:
        raise InputError(
            f'{len(wrong)} of {len(people)} people have an area that cannot be that of a person in the box, in square '
            'pixels; correct it, or remove the field, and 0.53 of the box is taken',
            details=wrong[:MOST_NAMED],
        )


@dataclass(frozen=True)
class CropGroundTruth:
    """The ground truth of a batch of B people, in pixels of their crops.

    Attributes:
        points (Tensor): (B, K, 2), (x, y); NaN where not labelled.
        areas (Tensor): (B,), square pixels.
        torsos (Tensor): (B,), lengths of the torsos; NaN where unknown.
        sigmas (Tensor): (K,), the dataset's.
        token_to_crop (np.ndarray): (2, 3), from a token's (col, row) to (x, y).
    """

    points: Tensor
    areas: Tensor
    torsos: Tensor
    sigmas: Tensor
    token_to_crop: np.ndarray

    @classmethod
    def of(
        cls, explanations: Sequence[PoseExplanation], ground_truths: Sequence[GroundTruth], metainfo: DatasetMeta
    ) -> CropGroundTruth:
        """Transfer the ground truth of people into the crops of their explanations."""
        pairs = list(zip(explanations, ground_truths))
        points = np.stack([explanation.to_crop(ground_truth.keypoints) for explanation, ground_truth in pairs])
        scales = np.array([np.linalg.det(explanation.crop_to_image[:, :2]) for explanation in explanations])
        return cls(
            torch.from_numpy(points).float(),
            torch.tensor([ground_truth.area for ground_truth in ground_truths]) / torch.from_numpy(scales).float(),
            torch.from_numpy(torso_lengths(points, keypoint_names(metainfo))).float(),
            torch.tensor(np.array(metainfo['sigmas']), dtype=torch.float32),
            explanations[0].token_to_crop,
        )


def torso_lengths(points: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Measure from the middle of the shoulders to the middle of the hips.

    Args:
        points (np.ndarray): (B, K, 2), NaN where not labelled.
        names (Sequence[str]): Names of the K keypoints.

    Returns:
        np.ndarray: (B,), in the unit of the points; NaN where one of the four keypoints is not labelled, or the dataset
        does not have it.
    """
    if not set(TORSO) <= set(names):
        return np.full(len(points), np.nan)
    left_shoulder, right_shoulder, left_hip, right_hip = (points[:, keypoint_index(names, name)] for name in TORSO)
    return np.linalg.norm((left_shoulder + right_shoulder - left_hip - right_hip) / 2, axis=-1)
