"""Gradients of a heatmap's value with respect to the image: plain, and integrated."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from mmtranspose.explain.methods.base import Method, peak_values, pixels_to_grid
from mmtranspose.explain.target import Target


@dataclass
class InputGradient(Method):
    """Absolute gradient of the value at the peak by the normalised image (Simonyan et al. 2013, arXiv 1312.6034).

    Summed over the channels and over each token's pixels. One forward pass, one backward pass for each keypoint.
    """

    name: ClassVar[str] = 'input-gradient'

    def maps(self, model: nn.Module, inputs: Tensor, target: Target) -> Tensor:
        inputs = inputs.clone().requires_grad_()
        values = peak_values(model.head.forward(model.extract_feat(inputs)), target)
        maps = []
        for value in values.unbind(1):
            (gradient,) = torch.autograd.grad(value.sum(), inputs, retain_graph=True)
            maps.append(pixels_to_grid(gradient.float().abs().sum(1), target.grid))
        return torch.stack(maps, 1)


@dataclass
class IntegratedGradients(Method):
    """The value's rise from a blank image, shared out among the pixels (Sundararajan et al. 2017, arXiv 1703.01365).

    The image, less the baseline, times the gradient averaged along the straight line from one to the other (captum's
    Gauss-Legendre quadrature). The baseline is the mean colour, 0 in the normalised image. The three channels of a
    pixel are added up, so that contributions of a colour may cancel, and the absolute values of its pixels are summed
    over each token. ``n_steps`` forward and backward passes for each keypoint.

    Args:
        n_steps (int): Points of the quadrature.
        batch_size (int): Images that go through the network at a time.

    Raises:
        ModuleNotFoundError: captum is not installed.
        ValueError: ``n_steps`` or ``batch_size`` is not positive.
    """

    name: ClassVar[str] = 'integrated-gradients'
    n_steps: int = 20
    batch_size: int = 8

    def __post_init__(self):
        _captum()
        for name in ('n_steps', 'batch_size'):
            if getattr(self, name) < 1:
                raise ValueError(f'{name}={getattr(self, name)} must be at least 1')

    def maps(self, model: nn.Module, inputs: Tensor, target: Target) -> Tensor:
        return torch.stack(
            [
                pixels_to_grid(self.attributions(model, inputs, target, k).sum(1).abs(), target.grid)
                for k in range(target.peaks.shape[1])
            ],
            dim=1,
        )

    def attributions(self, model: nn.Module, inputs: Tensor, target: Target, keypoint: int) -> Tensor:
        """What every channel of every pixel adds to one keypoint's value: (B, 3, H, W), float32.

        They sum to the value of the image less that of the baseline, but for the quadrature's error. ``model`` is to
        be in evaluation mode.
        """

        def values(pictures: Tensor, peaks: Tensor) -> Tensor:
            expanded = replace(target, peaks=peaks)
            return peak_values(model.head.forward(model.extract_feat(pictures)), expanded)

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


def _captum():
    try:
        import captum.attr
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "the method 'integrated-gradients' needs captum: pip install captum, or pip install mmtranspose[explain]"
        ) from error
    return captum.attr
