"""Fit an image of any size into a detector's input, inside an exported graph, as the config's test pipeline does."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from mmdet.datasets.transforms import LoadAnnotations, PackDetInputs, Pad, Resize
from torch import Tensor, nn

from mmtranspose.detection.person_detector import PersonDetector
from mmtranspose.errors import UnsupportedModelError

COEFFICIENT = 2048  # OpenCV's weights of neighbours are whole numbers of 1 / 2048


class ImageFitting(nn.Module):
    """Resizes an image so that its longer side has the detector's length, and pads it on the right and below.

    The resized pixels are those of ``cv2.resize`` (bilinear) on images of bytes, rounded at each step as it rounds; in
    single precision one in a million differs by 1. Neighbours are gathered at each position of the padded image, whose
    size does not depend on the image's.

    Args:
        length (int): Of the longer side, in pixels.
        canvas (tuple[int, int]): (w, h) of the padded image.
        colour (list[int]): (3,), BGR, of the padding.
    """

    def __init__(self, length: int, canvas: tuple[int, int], colour: list[int]):
        super().__init__()
        self.length, self.canvas, self.colour = length, canvas, colour

    @classmethod
    def of(cls, detector: PersonDetector) -> ImageFitting:
        """Make the fitting of a detector's test pipeline.

        Raises:
            UnsupportedModelError: The pipeline has another step than resizing and padding to one size; the message
                names it.
        """
        steps = [
            step for step in detector.pipeline.transforms[1:] if type(step) not in (LoadAnnotations, PackDetInputs)
        ]
        if [type(step) for step in steps] != [Resize, Pad]:
            other = next((step for step in steps if type(step) not in (Resize, Pad)), None)
            what = 'is not Resize, then Pad' if other is None else f'has a step {type(other).__name__}'
            raise UnsupportedModelError(
                f'detector {detector.name} cannot be exported: its test pipeline {what}; a graph can have Resize with '
                'keep_ratio, then Pad'
            )
        length = _length(steps[0], detector.name)
        return cls(length, *_padding(steps[1], length, detector.name))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Fit an image.

        Args:
            image (Tensor): (H, W, 3), uint8, RGB.

        Returns:
            tuple[Tensor, Tensor]: (3, h, w), float32, BGR, whole numbers from 0 to 255; and (2,), float32, the factors
            (x, y) from pixels of the resized image to pixels of ``image``.
        """
        size = torch.stack([_number(image.shape[1]), _number(image.shape[0])])
        longer = size.max()
        whole = (2 * size * self.length + longer) // (2 * longer)  # with halves up
        resized = torch.maximum(whole, torch.ones_like(whole))  # (w, h); a line would vanish otherwise
        pixels = self._resized(image, size, resized).permute(2, 0, 1).flip(0)
        fill = torch.tensor(self.colour, dtype=torch.float32, device=image.device)[:, None, None]
        right, below = (torch.arange(length, device=image.device) for length in self.canvas)
        inside = (below < resized[1])[:, None] & (right < resized[0])[None]
        return torch.where(inside, pixels, fill), size.float() / resized.float()

    def _resized(self, image: Tensor, size: Tensor, resized: Tensor) -> Tensor:
        """The resized image (h, w, 3) at the positions of the padded one; those outside mean nothing."""
        columns, across = self._neighbours(0, size[0], resized[0])
        rows, down = self._neighbours(1, size[1], resized[1])
        total = torch.zeros(1, device=image.device)
        for row, row_weight in zip(rows, down):
            line = image.index_select(0, row)
            sums = torch.zeros(1, device=image.device)
            for column, weight in zip(columns, across):
                sums = sums + line.index_select(1, column).float() * (weight / 16)[None, :, None]
            total = total + (sums.floor() * (row_weight / 65536)[:, None, None]).floor()
        return ((total + 2) / 4).floor()

    def _neighbours(self, axis: int, size: Tensor, resized: Tensor) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """The pixels before and after each position on an axis, and their weights in parts of :data:`COEFFICIENT`."""
        positions = torch.arange(self.canvas[axis], device=size.device)
        place = (2 * positions + 1) * size - resized  # in parts of 1 / (2 * resized) pixel
        cell = place // (2 * resized)
        rest = (place - cell * 2 * resized).float() / (2 * resized).float()
        share = (cell.float() + rest) - cell.float()  # OpenCV rounds the position to single precision
        last = size - 1
        weights = tuple((part * COEFFICIENT).round() for part in (1 - share, share))
        zero = torch.zeros_like(cell)
        return tuple(torch.minimum(torch.maximum(one, zero), last) for one in (cell, cell + 1)), weights


def _number(size: Any) -> Tensor:
    return torch.scalar_tensor(size, dtype=torch.int64)


def _length(step: Resize, detector: str) -> int:
    """Length of the longer side after a step that resizes.

    Raises:
        UnsupportedModelError: The step resizes in another way.
    """
    scale = step.scale
    if not (step.keep_ratio and scale and scale[0] == scale[1]) or (step.interpolation, step.backend) != (
        'bilinear',
        'cv2',
    ):
        raise UnsupportedModelError(
            f'detector {detector} cannot be exported: its test pipeline has {step}; a graph can have Resize with '
            'keep_ratio=True, a square scale, and bilinear interpolation by cv2'
        )
    return int(scale[0])


def _padding(step: Pad, length: int, detector: str) -> tuple[tuple[int, int], list[int]]:
    """Size (w, h) and colour (BGR) of images that have gone through a step that pads.

    Raises:
        UnsupportedModelError: The size depends on the image, or the padding has no colour.
    """
    upright, flat = (step(dict(img=np.zeros(shape, np.uint8)))['img'] for shape in ((length, 1, 3), (1, length, 3)))
    if upright.shape != flat.shape or step.padding_mode != 'constant':
        raise UnsupportedModelError(
            f'detector {detector} cannot be exported: its test pipeline has {step}; a graph can have Pad with one '
            f'colour to one size, such as size=({length}, {length})'
        )
    return (upright.shape[1], upright.shape[0]), np.array(upright[-1, -1]).tolist()
