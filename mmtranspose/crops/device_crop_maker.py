"""Crops of bounding boxes, cut on the device that the network runs on."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from mmpose.datasets.transforms import GetBBoxCenterScale, LoadImage, PackPoseInputs, TopdownAffine
from torch import Tensor

from mmtranspose.crops.crop_affine import RecordAffine, recorded_affine
from mmtranspose.crops.crop_maker import CropMaker
from mmtranspose.typing import PoseEstimator

KNOWN_STEPS = (LoadImage, GetBBoxCenterScale, TopdownAffine, RecordAffine, PackPoseInputs)
BLANK = np.zeros((1, 1, 3), np.uint8)
POSITION_STEPS = 32  # OpenCV 4 rounds the positions that it samples at to 1/32 of a pixel,
TERM_STEPS = 1024  # and the two terms that it adds up to them to 1/1024
IS_EXACT = int(cv2.__version__.split('.')[0]) >= 5  # later ones round neither
CROPS_AT_A_TIME = 32  # so that memory does not grow with the number of people


class DeviceCropMaker(CropMaker):
    """A :class:`CropMaker` that samples the pixels on a device: an image is copied there once, for all of its boxes.

    Pixels are interpolated bilinearly at the positions of ``cv2.warpAffine``, which OpenCV 4 rounds to 1/32 of a pixel.

    Args:
        model (PoseEstimator): From :func:`mmtranspose.apis.init_model`; its pipeline has to pass
            :func:`cuts_on_device`.
        device (torch.device): Where crops are made and stay.
    """

    def __init__(self, model: PoseEstimator, device: torch.device):
        super().__init__(model)
        self.device = device

    def __call__(self, image: np.ndarray, bboxes: np.ndarray) -> list[dict]:
        """As :meth:`CropMaker.__call__`; ``inputs`` are on the device."""
        packed = super().__call__(BLANK, bboxes)  # affines and labels are right; the pixels are replaced below
        if not packed:
            return packed
        samples = [one['data_samples'] for one in packed]
        h, w = packed[0]['inputs'].shape[1:]
        pixels = torch.from_numpy(np.ascontiguousarray(image)).to(self.device).permute(2, 0, 1)
        crops = sample_affine(pixels, np.stack([recorded_affine(sample) for sample in samples]), (w, h))
        for one, sample, crop in zip(packed, samples, crops):
            sample.set_metainfo(dict(img_shape=image.shape[:2], ori_shape=image.shape[:2]))
            one['inputs'] = crop
        return packed


def cuts_on_device(pipeline: Iterable[object]) -> bool:
    """Whether :class:`DeviceCropMaker` can do the work of every step of a built pipeline."""
    return all(isinstance(step, KNOWN_STEPS) for step in pipeline)


def sample_affine(image: Tensor, to_image: np.ndarray, size: tuple[int, int]) -> Tensor:
    """Sample crops from an image bilinearly, as ``cv2.warpAffine`` does; beyond the image's edges crops are black.

    Args:
        image (Tensor): (C, h, w), uint8.
        to_image (np.ndarray): (N, 2, 3), from (x, y) in pixels of each crop to pixels of the image.
        size (tuple[int, int]): (W, H) of the crops.

    Returns:
        Tensor: (N, C, H, W), uint8, on the image's device.
    """
    h, w = image.shape[1:]
    pixels, parts = image[None].float(), []
    for affines in torch.from_numpy(to_image).double().split(CROPS_AT_A_TIME):
        positions = _positions(affines, size, (h, w)).float().to(image.device)
        sampled = F.grid_sample(pixels.expand(len(affines), -1, -1, -1), positions, align_corners=False)
        parts.append(sampled.round().clamp(0, 255).to(torch.uint8))
    return torch.cat(parts)


def _positions(to_image: Tensor, size: tuple[int, int], image_size: tuple[int, int]) -> Tensor:
    """(N, H, W, 2), float64: each crop pixel's position in an image of (h, w), in ``grid_sample``'s coordinates."""
    columns, rows = (torch.arange(length, dtype=torch.float64) for length in size)
    along = to_image[:, None, :, 0] * columns[:, None]  # (N, W, 2)
    down = to_image[:, None, :, 1] * rows[:, None] + to_image[:, None, :, 2]  # (N, H, 2)
    pixels = opencv_positions(along[:, None], down[:, :, None])
    return (2 * pixels + 1) / torch.tensor(image_size[::-1]) - 1


def opencv_positions(along: Tensor, down: Tensor) -> Tensor:
    """Add up the two terms of the positions at which the installed OpenCV samples, rounded where it rounds them.

    Args:
        along (Tensor): The terms that grow along a row of the crop, in pixels of the image.
        down (Tensor): The other ones, of a shape that can be added.
    """
    if IS_EXACT:
        return along + down
    coarse = TERM_STEPS / POSITION_STEPS
    terms = torch.round(TERM_STEPS * along) + torch.round(TERM_STEPS * down)
    return torch.floor((terms + coarse / 2) / coarse) / POSITION_STEPS
