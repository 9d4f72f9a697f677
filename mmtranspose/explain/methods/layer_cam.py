"""LayerCAM: activations weighted by their own positive gradients."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from mmtranspose.errors import require_choice
from mmtranspose.explain.methods.base import Method, peak_values
from mmtranspose.explain.target import Target
from mmtranspose.typing import PoseEstimator

PLACES = ('encoder', 'stem')


@dataclass
class LayerCAM(Method):
    """Class activation map of a feature map (Jiang et al., IEEE TIP 2021, doi 10.1109/TIP.2021.3089943).

    ``relu(sum over channels of relu(gradient) * activation)``, where the gradient is that of the heatmap's value at the
    peak. Each place has a weight of its own in every channel, so the map is as fine as the feature map. It takes one
    forward pass, and one backward pass through the layers above for each keypoint.

    Args:
        place (str): ``'encoder'``: the encoded tokens, which the head reads; ``'stem'``: the CNN's last feature map,
            which the encoder reads.

    Raises:
        InputError: ``place`` is unknown.
    """

    place: str = 'encoder'

    def __post_init__(self) -> None:
        require_choice('place', self.place, PLACES)

    @property
    def name(self) -> str:
        """``layer-cam-encoder``, ``layer-cam-stem``."""
        return f'layer-cam-{self.place}'

    def maps(self, model: PoseEstimator, inputs: Tensor, target: Target) -> Tensor:
        """The maps (B, K, h, w)."""
        with torch.no_grad():
            features = model.backbone(inputs) if self.place == 'stem' else model.extract_feat(inputs)
        features = tuple(feature.detach().requires_grad_() for feature in features)
        neck = getattr(model, 'neck', None) if self.place == 'stem' else None
        encoded = features if neck is None else neck(features)
        values = peak_values(model.head.forward(encoded), target)
        maps = []
        for value in values.unbind(1):
            (gradient,) = torch.autograd.grad(value.sum(), features[-1], retain_graph=True)
            maps.append((gradient.relu() * features[-1].detach()).sum(1).relu())
        return F.adaptive_avg_pool2d(torch.stack(maps, 1).float(), target.grid)
