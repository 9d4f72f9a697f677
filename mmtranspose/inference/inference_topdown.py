"""Top-down inference on one image with given boxes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from mmengine.dataset import pseudo_collate
from mmpose.structures import PoseDataSample
from torch import nn

from mmtranspose.crops.boxes import check_boxes
from mmtranspose.crops.crop_maker import CropMaker
from mmtranspose.media import read_image


@torch.no_grad()
def inference_topdown(
    model: nn.Module,
    image: np.ndarray | str,
    bboxes: np.ndarray | Sequence[Sequence[float]],
    batch_size: int = 32,
) -> list[PoseDataSample]:
    """Poses in given boxes of one image, which is decoded once.

    Args:
        model (nn.Module): From :func:`init_model`.
        image (np.ndarray | str): (h, w, 3), BGR, uint8; or a file.
        bboxes (np.ndarray | Sequence): (N, 4) or (N, 5), xyxy in pixels and perhaps a score. None at all means no pose
            (MMPose's function of this name takes the whole image instead).
        batch_size (int): Boxes that go through the network together.

    Returns:
        list[PoseDataSample]: One a box, in order; ``pred_instances.keypoints`` (1, K, 2) in image pixels.

    Raises:
        InputError: A box is not finite, has no positive size, or lies outside the image.
    """
    image = read_image(image) if isinstance(image, str) else image
    bboxes = np.asarray(bboxes, dtype=np.float32)
    if bboxes.size == 0:
        return []
    check_boxes(bboxes, image.shape[:2])
    cut, results = CropMaker(model), []
    for start in range(0, len(bboxes), batch_size):
        results.extend(model.test_step(pseudo_collate(cut(image, bboxes[start : start + batch_size]))))
    return results
