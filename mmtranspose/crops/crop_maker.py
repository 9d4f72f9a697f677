"""Crops of boxes by a config's test pipeline."""

from __future__ import annotations

import numpy as np
from mmcv.transforms import Compose
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope
from torch import nn

from mmtranspose.crops.boxes import check_boxes


class CropMaker:
    """Cuts an image's boxes out as the config's ``test_dataloader`` does, from the image in memory.

    Args:
        model (nn.Module): From :func:`mmtranspose.apis.init_model`; its ``cfg`` has the pipeline.
    """

    def __init__(self, model: nn.Module):
        init_default_scope(model.cfg.get('default_scope', 'mmpose'))
        self.pipeline = Compose(model.cfg.test_dataloader.dataset.pipeline)
        self.dataset_meta = model.dataset_meta

    def __call__(self, image: np.ndarray, bboxes: np.ndarray) -> list[dict]:
        """One crop a box.

        Args:
            image (np.ndarray): (h, w, 3), BGR, uint8.
            bboxes (np.ndarray): (N, 4) or (N, 5), xyxy in pixels and perhaps a score; good ones, see
                :func:`mmtranspose.crops.boxes.check_boxes`.

        Returns:
            list[dict]: ``inputs`` (3, H, W), BGR, uint8, and ``data_samples``, of each box.
        """
        return [self.pipeline(self._sample(image, box)) for box in bboxes]

    def _sample(self, image: np.ndarray, box: np.ndarray) -> dict:
        score = box[4:5] if len(box) > 4 else np.ones(1, np.float32)
        return dict(img=image, bbox=box[None, :4], bbox_score=score, **self.dataset_meta)


def prepare_crops(model: nn.Module, image: np.ndarray, bboxes: np.ndarray) -> dict:
    """Crops of boxes through the config's test pipeline, as a batch for ``model.test_step``.

    Args:
        model (nn.Module): From :func:`mmtranspose.apis.init_model`.
        image (np.ndarray): (h, w, 3), BGR, uint8.
        bboxes (np.ndarray): (N, 4) or (N, 5), xyxy in pixels and perhaps a score.

    Returns:
        dict: ``inputs``, N tensors (3, H, W), BGR, uint8; ``data_samples``.

    Raises:
        InputError: A box is not finite, has no positive size, or lies outside the image.
    """
    check_boxes(bboxes, image.shape[:2])
    return pseudo_collate(CropMaker(model)(image, bboxes))
