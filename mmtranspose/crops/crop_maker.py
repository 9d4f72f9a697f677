"""Crops of bounding boxes, cut as a config's test pipeline cuts them."""

from __future__ import annotations

import numpy as np
from mmcv.transforms import Compose
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope

from mmtranspose.crops.boxes import check_boxes
from mmtranspose.crops.crop_affine import record_affines
from mmtranspose.errors import InputError
from mmtranspose.typing import Batch, PoseEstimator


class CropMaker:
    """Cuts the boxes of an image, given as an array, with the pipeline of the config's ``test_dataloader``.

    Args:
        model (PoseEstimator): From :func:`mmtranspose.apis.init_model`; its ``cfg`` has the pipeline.

    Raises:
        InputError: Its ``cfg`` has none.
    """

    def __init__(self, model: PoseEstimator):
        init_default_scope(model.cfg.get('default_scope', 'mmpose'))
        if 'test_dataloader' not in model.cfg:
            raise InputError(
                'nothing says how crops are cut: there is no test_dataloader in the config (a file exported with '
                "graph='crops' from a pipeline of one's own has none: cut the crops before)"
            )
        self.pipeline = Compose(model.cfg.test_dataloader.dataset.pipeline)
        record_affines(self.pipeline)
        self.dataset_meta = model.dataset_meta

    def __call__(self, image: np.ndarray, bboxes: np.ndarray) -> list[dict]:
        """Cut one crop for each box.

        Args:
            image (np.ndarray): (h, w, 3), BGR, uint8.
            bboxes (np.ndarray): (N, 4) or (N, 5), xyxy in pixels and perhaps a score; they are not checked here, see
                :func:`mmtranspose.crops.boxes.check_boxes`.

        Returns:
            list[dict]: For each box ``inputs`` (3, H, W), BGR, uint8, and ``data_samples``, a ``PoseDataSample`` whose
            metainfo has the affine ``crop_to_image``; see :mod:`mmtranspose.crops.crop_affine`.
        """
        return [self.pipeline(self._sample(image, box)) for box in bboxes]

    def _sample(self, image: np.ndarray, box: np.ndarray) -> dict:
        score = box[4:5] if len(box) > 4 else np.ones(1, np.float32)
        return dict(img=image, bbox=box[None, :4], bbox_score=score, **self.dataset_meta)


def prepare_crops(model: PoseEstimator, image: np.ndarray, bboxes: np.ndarray) -> Batch:
    """Cut the boxes of an image into one batch for ``model.test_step``.

    Args:
        model (PoseEstimator): From :func:`mmtranspose.apis.init_model`.
        image (np.ndarray): (h, w, 3), BGR, uint8.
        bboxes (np.ndarray): (N, 4) or (N, 5), xyxy in pixels and perhaps a score.

    Returns:
        Batch: ``inputs``, N tensors (3, H, W), BGR, uint8; ``data_samples``, as of :class:`CropMaker`.

    Raises:
        InputError: A box is not finite, has no positive size, or lies outside the image.
    """
    check_boxes(bboxes, image.shape[:2])
    return pseudo_collate(CropMaker(model)(image, bboxes))
