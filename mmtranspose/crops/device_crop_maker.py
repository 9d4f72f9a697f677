"""Crops of boxes cut on the device that the network runs on."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from mmpose.datasets.transforms import GetBBoxCenterScale, LoadImage, PackPoseInputs, TopdownAffine
from torch import Tensor, nn

from mmtranspose.crops.crop_maker import CropMaker
from mmtranspose.crops.geometry import crop_to_image, cuts_udp

KNOWN_STEPS = (LoadImage, GetBBoxCenterScale, TopdownAffine, PackPoseInputs)


BLANK = np.zeros((1, 1, 3), np.uint8)


STEPS, FINE = 32, 1024  # to a pixel: of the places that OpenCV samples at, and of the terms that it adds up to them


TOGETHER = 32  # crops sampled at a time, so that memory does not grow with the number of people


class DeviceCropMaker(CropMaker):
    """:class:`CropMaker` with the pixels sampled on a device: an image goes there once, whatever its boxes.

    Bilinear sampling at the places of ``cv2.warpAffine``, which are rounded to 1/32 of a pixel.

    Args:
        model (nn.Module): From :func:`mmtranspose.apis.init_model`; see :func:`cuts_on_device` for its pipeline.
        device (torch.device): Where crops are made and stay.
    """

    def __init__(self, model: nn.Module, device: torch.device):
        super().__init__(model)
        self.device = device
        self.udp = cuts_udp(model.cfg.test_dataloader.dataset.pipeline)

    def __call__(self, image: np.ndarray, bboxes: np.ndarray) -> list[dict]:
        """As :meth:`CropMaker.__call__`; ``inputs`` are on the device."""
        packed = super().__call__(BLANK, bboxes)  # places and labels; its pixels are replaced
        if not packed:
            return packed
        samples = [one['data_samples'] for one in packed]
        to_image = [
            crop_to_image(*(sample.metainfo[f'input_{key}'] for key in ('center', 'scale', 'size')), self.udp)
            for sample in samples
        ]
        h, w = packed[0]['inputs'].shape[1:]
        picture = torch.from_numpy(np.ascontiguousarray(image)).to(self.device).permute(2, 0, 1)
        crops = sample_affine(picture, np.stack(to_image), (w, h))
        for one, sample, crop in zip(packed, samples, crops):
            sample.set_metainfo(dict(img_shape=image.shape[:2], ori_shape=image.shape[:2]))
            one['inputs'] = crop
        return packed


def cuts_on_device(pipeline: list) -> bool:
    """Whether all steps of a composed pipeline are those whose work :class:`DeviceCropMaker` knows."""
    return all(isinstance(step, KNOWN_STEPS) for step in pipeline)


def sample_affine(picture: Tensor, to_image: np.ndarray, size: tuple[int, int]) -> Tensor:
    """Sample an image bilinearly at affine images of a grid, as ``cv2.warpAffine`` does; black beyond its edges.

    Args:
        image (Tensor): (C, h, w), uint8.
        to_image (np.ndarray): (N, 2, 3), from (x, y) in pixels of a crop to pixels of the image.
        size (tuple[int, int]): (w, h) of the crops.

    Returns:
        Tensor: (N, C, H, W), uint8, on the image's device.
    """
    pixels, parts = picture[None].float(), []
    for affines in torch.from_numpy(to_image).double().split(TOGETHER):
        places = _places(affines, size, picture.shape[1:]).float().to(picture.device)
        found = F.grid_sample(pixels.expand(len(affines), -1, -1, -1), places, align_corners=False)
        parts.append(found.round().clamp(0, 255).to(torch.uint8))
    return torch.cat(parts)


def _places(to_image: Tensor, size: tuple[int, int], picture: tuple[int, int]) -> Tensor:
    """(N, H, W, 2), where each pixel of the crops lies in an image (h, w), as ``grid_sample`` counts; float64."""
    columns, rows = (torch.arange(length, dtype=torch.float64) for length in size)
    along = torch.round(FINE * to_image[:, None, :, 0] * columns[:, None])  # (N, W, 2)
    down = torch.round(FINE * (to_image[:, None, :, 1] * rows[:, None] + to_image[:, None, :, 2]))  # (N, H, 2)
    coarse = FINE / STEPS
    pixels = torch.floor((along[:, None] + down[:, :, None] + coarse / 2) / coarse) / STEPS
    return (2 * pixels + 1) / torch.tensor(picture[::-1]) - 1
