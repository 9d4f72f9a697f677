"""Cut crops out of an image inside an exported graph, as the config's test pipeline cuts them with OpenCV."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from mmpose.datasets.transforms import GetBBoxCenterScale, TopdownAffine
from torch import Tensor, nn

from mmtranspose.crops.crop_maker import CropMaker
from mmtranspose.crops.device_crop_maker import cuts_on_device, opencv_positions
from mmtranspose.datasets.transforms import UnbiasedTopdownAffine
from mmtranspose.errors import UnsupportedModelError
from mmtranspose.typing import PoseEstimator

# What lies on the edges of the enlarged box: the edges of the crop, or the middles of its outermost pixels; boxes have
# MMPose's size (UDP) or the authors' (see UnbiasedTopdownAffine).
CONVENTIONS: dict[str, Callable[[tuple[int, int]], TopdownAffine]] = {
    'plain': TopdownAffine,
    'udp': lambda size: TopdownAffine(size, use_udp=True),
    'unbiased': UnbiasedTopdownAffine,
}


class CropCutting(nn.Module):
    """Cuts the crops of boxes out of one image, with the same whole-numbered pixels as ``cv2.warpAffine``.

    A box is enlarged by the pipeline's padding, then to the crop's aspect ratio; pixels beyond the image are black.
    Positions are rounded where the installed OpenCV rounds them. The four pixels next to a position are gathered and
    added up: that is exact, where ONNX's ``GridSample`` rounds each position by its distance from the image's middle,
    and turns the whole image into floating-point numbers first.

    Args:
        padding (float): Factor of the box's width and height.
        size (tuple[int, int]): (w, h) of the crops.
        convention (str): A key of :data:`CONVENTIONS`.
    """

    def __init__(self, padding: float, size: tuple[int, int], convention: str):
        super().__init__()
        self.padding, self.size, self.convention = padding, size, convention

    @classmethod
    def of(cls, model: PoseEstimator) -> CropCutting:
        """Make the cutting of a model's test pipeline.

        Raises:
            UnsupportedModelError: The pipeline has a step that a graph cannot have; the message names it.
        """
        steps = CropMaker(model).pipeline.transforms
        if not cuts_on_device(steps):
            other = next(step for step in steps if not cuts_on_device([step]))
            raise UnsupportedModelError(
                f"the config's test pipeline has a {type(other).__name__}, which an exported graph cannot do: export "
                "graph='crops' (--graph crops), and cut the crops before"
            )
        padding = next(step.padding for step in steps if isinstance(step, GetBBoxCenterScale))
        cut = cutting_step(model)
        return cls(padding, cut.input_size, convention_of(cut))

    def affines(self, boxes: Tensor) -> tuple[Tensor, Tensor]:
        """Compute where crops lie in the image: pixel (x, y) of a crop at ``start + step * (x, y)``.

        Args:
            boxes (Tensor): (N, 4), xyxy in pixels.

        Returns:
            tuple[Tensor, Tensor]: ``start`` and ``step``, each (N, 2) as (x, y), in pixels of the image.
        """
        first, last = boxes[:, :2], boxes[:, 2:4]
        width, height = ((last - first) * self.padding).unbind(1)
        ratio = self.size[0] / self.size[1]
        width, height = torch.maximum(width, height * ratio), torch.maximum(height, width / ratio)
        centre, spans = (first + last) / 2, [length - 1 for length in self.size]
        if self.convention == 'plain':
            spans = list(self.size)
        elif self.convention == 'unbiased':
            centre, width = centre - 0.5, (width - 1).clamp(min=1)
            height = width * (spans[1] / spans[0])
        extent = torch.stack([width, height], dim=1)
        return centre - extent / 2, extent / torch.tensor(spans, device=boxes.device)

    def forward(self, image: Tensor, start: Tensor, step: Tensor) -> Tensor:
        """Cut the crops at the positions that :meth:`affines` computes.

        Args:
            image (Tensor): (H, W, 3), uint8.
            start, step (Tensor): (N, 2).

        Returns:
            Tensor: (N, 3, h, w), float32, whole numbers from 0 to 255, channels as the image's.
        """
        columns, rows = (torch.arange(length, device=start.device) for length in self.size)
        across = opencv_positions(step[:, :1] * columns, start[:, :1])  # (N, w)
        down = opencv_positions(torch.zeros_like(step[:, 1:]), step[:, 1:] * rows + start[:, 1:])  # (N, h)
        pixels = image.flatten(0, 1)
        sums = torch.zeros(1, device=image.device)
        for y, row_share in _neighbours(down, image.shape[0]):
            for x, column_share in _neighbours(across, image.shape[1]):
                values = pixels[y[:, :, None] * image.shape[1] + x[:, None, :]].float()  # (N, h, w, 3)
                sums = sums + values * (row_share[:, :, None] * column_share[:, None, :]).unsqueeze(-1)
        return (sums + 0.5).floor().permute(0, 3, 1, 2)


def _neighbours(positions: Tensor, size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """The pixels before and after each position on an axis, and their shares; beyond the image it is 0."""
    first = positions.floor()
    share = positions - first
    for cell, part in ((first, 1 - share), (first + 1, share)):
        inside = (cell >= 0) & (cell < size)
        yield (
            torch.where(inside, cell, torch.zeros_like(cell)).long(),
            torch.where(inside, part, torch.zeros_like(part)),
        )


def convention_of(cut: TopdownAffine) -> str:
    """The key of :data:`CONVENTIONS` of a pipeline's step.

    Raises:
        UnsupportedModelError: The step is of another class, which may cut crops in another way.
    """
    for name, make in CONVENTIONS.items():
        known = make(cut.input_size)
        if type(known) is type(cut) and known.use_udp == cut.use_udp:
            return name
    raise UnsupportedModelError(
        f"the config's test pipeline cuts crops with {type(cut).__name__}, which cannot be exported; use TopdownAffine "
        'or UnbiasedTopdownAffine'
    )


def cutting_step(model: PoseEstimator) -> TopdownAffine:
    """The step of a model's test pipeline that cuts crops.

    Raises:
        UnsupportedModelError: There is none.
    """
    for step in CropMaker(model).pipeline.transforms:
        if isinstance(step, TopdownAffine):
            return step
    raise UnsupportedModelError("the config's test pipeline has no TopdownAffine, so nothing says how crops are cut")


def pixels_per_unit(size: Sequence[int], unbiased: bool) -> list[float]:
    """Factors (x, y) from the decoder's input frame to pixels of the crop, whose first pixel's middle is at 0.

    The frame runs from one edge of the enlarged box, 0, to the other, the input's width or height.

    Args:
        size (Sequence[int]): (w, h) of the crop.
        unbiased (bool): Whether these edges are the middles of the outermost pixels, as with ``TopdownAffine``'s
            ``use_udp``; otherwise they are those pixels' outer edges.
    """
    return [(length - 1) / length if unbiased else 1.0 for length in size]
