"""The labelled people of a config's test data, as crops and ground truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope
from mmpose.registry import DATASETS
from mmpose.structures import PoseDataSample

from mmtranspose.crops.crop_affine import record_affines
from mmtranspose.errors import InputError
from mmtranspose.loading.data_files import check_data

PARTS = ('keypoints', 'foot_kpts', 'face_kpts', 'lefthand_kpts', 'righthand_kpts')  # the last four: whole bodies


UNKNOWN_VISIBILITY = 3


UNKNOWN_AREA = 0.53  # of the box; MMPose's and COCO's share of a person in a box without a known area


@dataclass(frozen=True)
class Truth:
    """What is known of one person.

    Attributes:
        id (int): Of the sample in the dataset.
        keypoints (np.ndarray): (K, 2), (x, y) in pixels of the image; NaN where not labelled.
        visibility (np.ndarray): (K,): 2 visible, 1 occluded, 0 not labelled (COCO's flags); 3 labelled, and which of
            the two is not known.
        area (float): In pixels of the image.
    """

    id: int
    keypoints: np.ndarray
    visibility: np.ndarray
    area: float


class LabelledPeople:
    """People of ``test_dataloader``'s dataset, in their annotated boxes, in a seeded order.

    Args:
        cfg (Config): Boxes of a detector that it names are left aside: they come without keypoints.
        max_samples (int | None): None for all.
        seed (int): Of the order.

    Raises:
        InputError: A file of the dataset is missing, nobody in it is labelled, or it has no sigmas.
    """

    def __init__(self, cfg: Config, max_samples: int | None, seed: int):
        init_default_scope(cfg.get('default_scope', 'mmpose'))
        if cfg.test_dataloader.dataset.get('bbox_file'):
            cfg.test_dataloader.dataset.bbox_file = None
        check_data(cfg, ('test_dataloader',))
        self.dataset = DATASETS.build(dict(cfg.test_dataloader.dataset, serialize_data=False))  # or empty ones fail
        record_affines(self.dataset)
        labelled = [
            i for i in range(len(self.dataset)) if np.any(self.dataset.get_data_info(i).get('keypoints_visible'))
        ]
        if len(self.metainfo.get('sigmas', ())) != self.metainfo['num_keypoints']:
            raise InputError(
                f"{cfg.test_dataloader.dataset.type} has no sigma for each keypoint, by which OKS and the keypoints' "
                "discs are scaled; give them in the dataset's metainfo"
            )
        if not labelled:
            raise InputError(
                f'{cfg.test_dataloader.dataset.get("ann_file")}: no person with labelled keypoints; name annotations '
                'by --cfg-options test_dataloader.dataset.ann_file=...'
            )
        self.order = np.random.default_rng(seed).permutation(labelled)[:max_samples].tolist()

    def __len__(self) -> int:
        return len(self.order)

    @property
    def metainfo(self) -> dict:
        """The dataset's names, sigmas, ..."""
        return self.dataset.metainfo

    def batch(self, start: int, stop: int) -> tuple[dict, list[Truth]]:
        """Some of the people: a batch as a data loader gives it, and what is known of each."""
        indices = self.order[start:stop]
        batch = pseudo_collate([self.dataset[i] for i in indices])
        return batch, [truth_of(i, sample) for i, sample in zip(indices, batch['data_samples'])]


def truth_of(index: int, sample: PoseDataSample) -> Truth:
    """What a sample's annotation says.

    MMPose reduces COCO's flags to labelled or not; where the raw annotation is at hand they come from there.
    """
    instances = sample.gt_instances
    keypoints = np.array(instances.keypoints[0][:, :2], float)
    visibility = np.where(np.asarray(instances.keypoints_visible[0]) > 0, UNKNOWN_VISIBILITY, 0)
    raw = sample.metainfo.get('raw_ann_info') or {}
    flags = np.concatenate([np.ravel(raw.get(part, [])) for part in PARTS])[2::3]
    if len(flags) == len(visibility):
        visibility = np.where(visibility > 0, flags, 0).astype(int)
    keypoints[visibility == 0] = np.nan
    x1, y1, x2, y2 = instances.bboxes[0]
    area = float(raw.get('area') or 0) or UNKNOWN_AREA * float((x2 - x1) * (y2 - y1))
    return Truth(index, keypoints, visibility, area)
