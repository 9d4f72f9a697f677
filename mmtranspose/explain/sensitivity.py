"""How much a method's maps change with changes of the image that nobody sees."""

from __future__ import annotations

import torch
from torch import Tensor

from mmtranspose.errors import InputError, require_at_least
from mmtranspose.explain.methods.base import Method
from mmtranspose.explain.target import Target
from mmtranspose.typing import PoseEstimator


def max_sensitivity(
    method: Method,
    model: PoseEstimator,
    inputs: Tensor,
    target: Target,
    maps: Tensor,
    *,
    radius: float = 0.02,
    samples: int = 4,
    seed: int = 0,
) -> Tensor:
    """Measure how much a method's maps change with changes of the image that nobody sees.

    Yeh et al., "On the (In)fidelity and Sensitivity of Explanations", NeurIPS 2019, arXiv 1901.09392, estimated over
    random changes: the largest ``|map(x + d) - map(x)| / |map(x)|``, where d is uniform in [-radius, radius] times the
    range of the image's values. The target stays.

    Args:
        method (Method): Computes the maps.
        model (PoseEstimator): The pose estimator.
        inputs (Tensor): (B, 3, H, W), as the network takes them (normalised).
        target (Target): The peaks of the unchanged heatmaps.
        maps (Tensor): (B, K, h, w), the method's for ``inputs``.
        radius (float): Largest change, as a share of the range of an image's values; positive.
        samples (int): Number of changes that are tried.
        seed (int): Of the changes, the same ones for each image.

    Returns:
        Tensor: (B, K), float32; lower is better. NaN where a map is 0 everywhere.

    Raises:
        InputError: ``radius`` or ``samples`` is out of range.
    """
    if not 0 < radius < float('inf'):
        raise InputError(f'radius={radius} must be positive, such as 0.02')
    require_at_least('samples', samples, 1)
    generator = torch.Generator().manual_seed(seed)
    ranges = (inputs.amax((1, 2, 3)) - inputs.amin((1, 2, 3)))[:, None, None, None]
    size = maps.flatten(2).norm(dim=-1)
    changes = []
    for _ in range(samples):
        noise = 2 * torch.rand(inputs.shape[1:], generator=generator).to(inputs) - 1
        changed = method(model, inputs + radius * ranges * noise, target)
        changes.append((changed - maps).flatten(2).norm(dim=-1))
    return torch.stack(changes).amax(0) / size.where(size > 0, torch.nan)
