"""Gradients of a heatmap's value with respect to the image: plain, and integrated."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import ModuleType
from typing import ClassVar

import torch
from torch import Tensor

from mmtranspose.errors import InputError
from mmtranspose.explain.methods.base import Method, peak_values, pixels_to_grid
from mmtranspose.explain.target import Target
from mmtranspose.typing import PoseEstimator


@dataclass
class InputGradient(Method):
    """Absolute gradient of the peak's value with respect to normalised pixels (Simonyan et al. 2013, arXiv 1312.6034).

    Summed over the channels and over each token's pixels. It takes one forward pass, and one backward pass for each
    keypoint.
    """

    name: ClassVar[str] = 'input-gradient'

    def maps(self, model: PoseEstimator, inputs: Tensor, target: Target) -> Tensor:
        """The maps (B, K, h, w)."""
        inputs = inputs.clone().requires_grad_()
        values = peak_values(model.head.forward(model.extract_feat(inputs)), target)
        maps = []
        for value in values.unbind(1):
            (gradient,) = torch.autograd.grad(value.sum(), inputs, retain_graph=True)
            maps.append(pixels_to_grid(gradient.float().abs().sum(1), target.grid))
        return torch.stack(maps, 1)


@dataclass
class IntegratedGradients(Method):
    """Each pixel's share in the value's rise from a blank image (Sundararajan et al. 2017, arXiv 1703.01365).

    A pixel's share is the difference between image and blank image, times the gradient averaged along the straight line
    between the two (captum's Gauss-Legendre quadrature). The blank image has the mean colour, 0 in the normalised
    image. The three channels of a pixel are added up, so contributions of a colour may cancel; then the absolute values
    of the pixels are summed over each token. It takes ``n_steps`` forward and backward passes for each keypoint.

    Args:
        n_steps (int): Points of the quadrature.
        batch_size (int): Images that go through the network together.

    Raises:
        InputError: captum is not installed, or ``n_steps`` or ``batch_size`` is not positive.
    """

    name: ClassVar[str] = 'integrated-gradients'
    n_steps: int = 20
    batch_size: int = 8

    def __post_init__(self) -> None:
        _captum()
        for name in ('n_steps', 'batch_size'):
            if getattr(self, name) < 1:
                raise InputError(f'{name}={getattr(self, name)} must be at least 1')

    def maps(self, model: PoseEstimator, inputs: Tensor, target: Target) -> Tensor:
        """The maps (B, K, h, w)."""
        return torch.stack(
            [
                pixels_to_grid(self.attributions(model, inputs, target, k).sum(1).abs(), target.grid)
                for k in range(target.peaks.shape[1])
            ],
            dim=1,
        )

    def attributions(self, model: PoseEstimator, inputs: Tensor, target: Target, keypoint: int) -> Tensor:
        """Compute how much every channel of every pixel adds to one keypoint's value: (B, 3, H, W), float32.

        They sum to the value of the image less that of the blank image, up to the quadrature's error. ``model`` has to
        be in evaluation mode.
        """

        def values(images: Tensor, peaks: Tensor) -> Tensor:
            return peak_values(model.head.forward(model.extract_feat(images)), replace(target, peaks=peaks))

        return (
            _captum()
            .IntegratedGradients(values, multiply_by_inputs=True)
            .attribute(
                inputs.clone().requires_grad_(),
                target=keypoint,
                additional_forward_args=target.peaks,
                n_steps=self.n_steps,
                internal_batch_size=max(self.batch_size, len(inputs)),
            )
            .detach()
            .float()
        )


def _captum() -> ModuleType:
    try:
        import captum.attr
    except ModuleNotFoundError as error:
        raise InputError(
            "the method 'integrated-gradients' needs captum: pip install captum, or pip install mmtranspose[explain]"
        ) from error
    return captum.attr
