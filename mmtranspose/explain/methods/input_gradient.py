"""The gradient of a heatmap's value with respect to the picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from mmtranspose.explain.methods.base import Method, peak_values, pixels_to_grid
from mmtranspose.explain.target import Target


@dataclass
class InputGradient(Method):
    """Absolute gradient of the value at the peak by the normalised picture (Simonyan et al. 2013, arXiv 1312.6034).

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
