"""What an explanation method is: a map over the token grid for each keypoint."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmtranspose.explain.recording import evaluating
from mmtranspose.explain.target import Target


class Method(ABC):
    """Says for every place how much the heatmap's value at the peak depends on it.

    Calling it leaves the network as it was: its mode, its parameters' ``grad`` and ``requires_grad``, its hooks, after
    an error too. Gradients are taken also where the caller has switched them off, and of frozen networks.

    A subclass computes :meth:`maps`.
    """

    name: str

    def __call__(self, model: nn.Module, inputs: Tensor, target: Target) -> Tensor:
        """The maps of a batch.

        Args:
            model (nn.Module): A pose estimator: ``model.head.forward(model.extract_feat(inputs))`` are heatmaps.
            inputs (Tensor): (B, 3, H, W), as the network takes them (normalised).
            target (Target): The peaks that are explained, of B images.

        Returns:
            Tensor: (B, K, h, w), float32, over the token grid; the higher, the more the value depends on the place.
            Only the order within a map is comparable between methods.

        Raises:
            TypeError: The method reads attention, and the model has none that can be read; see
                :func:`~mmtranspose.explain.recording.require_transpose`.
            ValueError: The target is of another batch, token grid or heatmap than the network's, or the maps are not
                finite.
        """
        if len(target.peaks) != len(inputs):
            raise ValueError(f'the target is of {len(target.peaks)} images, inputs of {len(inputs)}')
        with torch.inference_mode(False), torch.enable_grad(), evaluating(model):
            maps = self.maps(model, inputs.detach(), target).detach().float()
        expected = (*target.peaks.shape[:2], *target.grid)
        if tuple(maps.shape) != expected:
            raise ValueError(
                f"{self.name}'s maps are {tuple(maps.shape)}; the target, made for another input, {expected}"
            )
        if not maps.isfinite().all():
            raise ValueError(
                f"{self.name}'s maps are not finite: the inputs or the weights are not, or the model's precision "
                f'({inputs.dtype}) is too low; explain the model in float32'
            )
        return maps

    @abstractmethod
    def maps(self, model: nn.Module, inputs: Tensor, target: Target) -> Tensor:
        """The maps (B, K, h, w), computed with gradients switched on and ``model`` in evaluation mode."""


def peak_values(heatmaps: Tensor, target: Target) -> Tensor:
    """Heatmaps (B, K, H, W) at the target's peaks: (B, K), differentiable.

    Raises:
        ValueError: The target is of heatmaps of another size or number.
    """
    expected = (*target.peaks.shape[:2], *target.heatmap_size)
    if tuple(heatmaps.shape) != expected:
        raise ValueError(f'the heatmaps are {tuple(heatmaps.shape)}; the target was made for {expected}')
    return target.values(heatmaps)


def pixels_to_grid(per_pixel: Tensor, grid: tuple[int, int]) -> Tensor:
    """Values of pixels (B, H, W), summed over each token's share of the image: (B, h, w).

    Where the grid does not divide the image, a token's pixels overlap its neighbours'; the sum is then its pixels'
    mean times the pixels there are a token.
    """
    (height, width), (h, w) = per_pixel.shape[-2:], grid
    return F.adaptive_avg_pool2d(per_pixel, grid) * (height * width / (h * w))
