"""The interface of an explanation method: a map over the token grid for each keypoint."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from mmtranspose.errors import InputError
from mmtranspose.explain.recording import AttentionInput, evaluating, recorded_layers, require_inputs, require_transpose
from mmtranspose.explain.target import Target
from mmtranspose.typing import PoseEstimator


class Method(ABC):
    """Explanation method: computes how much the heatmap's value at the peak depends on each place.

    A call leaves the network as it was, after an error too: its modes, its parameters' ``grad`` and ``requires_grad``,
    its hooks. Gradients are computed even where the caller has switched them off, and for frozen networks too.

    A subclass computes :meth:`maps` and has a :attr:`name`.

    Attributes:
        reads_attention (bool): Whether the method reads the network's attention, so that not every network will do.
    """

    reads_attention: ClassVar[bool] = False

    @property
    @abstractmethod
    def name(self) -> str:
        """The name by which :func:`~mmtranspose.explain.methods.build_method` knows the method."""

    def __call__(self, model: PoseEstimator, inputs: Tensor, target: Target) -> Tensor:
        """Compute the maps of a batch.

        Args:
            model (PoseEstimator): ``model.head.forward(model.extract_feat(inputs))`` are its heatmaps.
            inputs (Tensor): (B, 3, H, W), as the network takes them (normalised).
            target (Target): The peaks that are explained, of the same B images.

        Returns:
            Tensor: (B, K, h, w), float32, over the token grid; the higher, the more the value depends on the place.
            Only the order within a map can be compared between methods.

        Raises:
            UnsupportedModelError: The method reads attention, and the model's cannot be read; see
                :func:`~mmtranspose.explain.recording.require_transpose`.
            InputError: The inputs have another shape or are not finite, the target is of another batch, token grid or
                heatmap size than the network's, or the maps are not finite.
        """
        if self.reads_attention:
            require_transpose(model)
        return self.unchecked(model, inputs, target)

    def unchecked(self, model: PoseEstimator, inputs: Tensor, target: Target) -> Tensor:
        """Compute the maps of a batch for a model that :func:`require_transpose` has accepted before."""
        require_inputs(inputs)
        if len(target.peaks) != len(inputs):
            raise InputError(f'the target is of {len(target.peaks)} images, inputs of {len(inputs)}')
        with torch.inference_mode(False), torch.enable_grad(), evaluating(model):
            maps = self.maps(model, inputs.detach(), target).detach().float()
        expected = (*target.peaks.shape[:2], *target.grid)
        if tuple(maps.shape) != expected:
            raise InputError(
                f"{self.name}'s maps are {tuple(maps.shape)}; the target, made for another input, {expected}"
            )
        if not maps.isfinite().all():
            raise InputError(
                f"{self.name}'s maps are not finite: the inputs or the weights are not, or the model's precision "
                f'({inputs.dtype}) is too low; explain the model in float32'
            )
        return maps

    @abstractmethod
    def maps(self, model: PoseEstimator, inputs: Tensor, target: Target) -> Tensor:
        """Compute the maps (B, K, h, w) with gradients switched on and ``model`` in evaluation mode."""


def peak_values(heatmaps: Tensor, target: Target) -> Tensor:
    """Read heatmaps (B, K, H, W) at the target's peaks: (B, K), differentiable.

    Raises:
        InputError: The target is of heatmaps of another size or number.
    """
    expected = (*target.peaks.shape[:2], *target.heatmap_size)
    if tuple(heatmaps.shape) != expected:
        raise InputError(f'the heatmaps are {tuple(heatmaps.shape)}; the target was made for {expected}')
    return target.values(heatmaps)


def layer_record(model: PoseEstimator, inputs: Tensor, layer: int) -> AttentionInput:
    """Record what the attention of one layer, numbered from 1, is given.

    Raises:
        InputError: The encoder has fewer layers.
    """
    records, _ = recorded_layers(model, inputs)
    if not 1 <= layer <= len(records):
        raise InputError(f'layer={layer} does not exist: the encoder has {len(records)}, numbered from 1')
    return records[layer - 1]


def pixels_to_grid(per_pixel: Tensor, grid: tuple[int, int]) -> Tensor:
    """Sum values of pixels (B, H, W) over each token's part of the image: (B, h, w).

    Where the grid does not divide the image, the pixels of neighbouring tokens overlap. The sum is then the mean of a
    token's pixels times H W / (h w), the number of pixels for each token.
    """
    (height, width), (h, w) = per_pixel.shape[-2:], grid
    return F.adaptive_avg_pool2d(per_pixel, grid) * (height * width / (h * w))
