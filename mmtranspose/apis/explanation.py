"""What a predicted joint rests on, for one person in one picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from mmtranspose.apis.inference import prepare_crops
from mmtranspose.explain import attention_maps, peak_cells


@dataclass
class JointDependency:
    """Dependency areas of one person's keypoints, on the crop that the network saw.

    Attributes:
        crop (np.ndarray): (H, W, 3), BGR, uint8: the network's input before normalisation.
        points (np.ndarray): (K, 2), (x, y) of each heatmap's peak in pixels of the crop.
        scores (np.ndarray): (K,), heights of the peaks.
        maps (np.ndarray): (L, K, h, w), head-averaged attention rows; each sums to 1.
        names (list[str]): Of the K keypoints.
    """

    crop: np.ndarray
    points: np.ndarray
    scores: np.ndarray
    maps: np.ndarray
    names: list[str]


@torch.no_grad()
def joint_dependency(model: nn.Module, image: np.ndarray, bbox: np.ndarray) -> JointDependency:
    """Dependency areas of every keypoint of the person in a box, from a single pass without flip.

    Args:
        model (nn.Module): From :func:`mmtranspose.apis.init_model`.
        image (np.ndarray): (h, w, 3), BGR, uint8.
        bbox (np.ndarray): (4,) or (5,), xyxy in pixels.

    Raises:
        InputError: The box is not finite, has no positive size, or lies outside the picture.
    """
    batch = prepare_crops(model, image, np.asarray(bbox)[None])
    crop = batch['inputs'][0].permute(1, 2, 0).numpy()
    inputs = model.data_preprocessor(batch, training=False)['inputs']
    features = model.extract_feat(inputs)
    heatmaps = model.head(features)
    cells = peak_cells(heatmaps, tuple(features[-1].shape[-2:]))
    maps = attention_maps(model, inputs, cells)[:, 0]
    height, width = heatmaps.shape[-2:]
    score, peak = heatmaps[0].flatten(1).max(-1)
    cell_to_pixel = (np.array(crop.shape[1::-1]) - 1) / (np.array([width, height]) - 1)
    xy = np.stack([peak.cpu() % width, peak.cpu() // width], axis=-1)
    names = [model.dataset_meta['keypoint_id2name'][k] for k in range(len(xy))]
    return JointDependency(crop, xy * cell_to_pixel, score.cpu().numpy(), maps.cpu().numpy(), names)
