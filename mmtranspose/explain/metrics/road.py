"""ROAD (remove and debias): what is left of a keypoint when the most, or the least, relevant places are removed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mmtranspose.errors import InputError
from mmtranspose.explain.metrics.imputation import imputation_noise, linear_imputation
from mmtranspose.explain.metrics.perturbed_images import (
    cell_counts,
    cell_ranks,
    check_arguments,
    first_cells,
    normalised,
    pixel_masks,
    read_images,
    read_variants,
    reversed_ranks,
)
from mmtranspose.explain.recording import evaluating
from mmtranspose.explain.target import Target
from mmtranspose.typing import PoseEstimator


@dataclass(frozen=True)
class RoadCurves:
    """The value that is left of each keypoint's peak after cells were removed.

    Attributes:
        percentiles (Tensor): (P,), percentages of the cells removed.
        morf (Tensor): (B, K, P), heatmaps at the unperturbed peaks, divided by their unperturbed values, after the
            most relevant cells were removed. NaN where the unperturbed value is not positive and finite.
        lerf (Tensor): (B, K, P), the same after the least relevant cells were removed.
    """

    percentiles: Tensor
    morf: Tensor
    lerf: Tensor

    @property
    def score(self) -> Tensor:
        """(B, K), the mean of (LeRF - MoRF) / 2 over the percentiles; higher is better, 0 is chance."""
        return ((self.lerf - self.morf) / 2).mean(-1)


@torch.no_grad()
def road(
    model: PoseEstimator,
    inputs: Tensor,
    target: Target,
    maps: Tensor,
    percentiles: Sequence[float] = (10, 30, 50, 70, 90),
    *,
    noise: float = 0.01,
    seed: int = 0,
    batch_size: int = 64,
) -> RoadCurves:
    """Remove cells by noisy linear imputation, most relevant first (MoRF) and least relevant first (LeRF).

    Rong et al., "A Consistent and Efficient Evaluation Strategy for Attribution Methods", ICML 2022, arXiv 2202.00449.
    The measured value is the keypoint's heatmap at its unperturbed peak (in the paper, the probability of a class); the
    network is not trained again. It is measured on the single pass, without flip test, in evaluation mode. The score
    (LeRF - MoRF) / 2 is in common use; it joins the paper's two orders.

    Args:
        model (PoseEstimator): The pose estimator.
        inputs (Tensor): (B, 3, H, W), as the network takes them (normalised).
        target (Target): The peaks of the unperturbed heatmaps.
        maps (Tensor): (B, K, h, w) over the token grid; the higher, the more relevant. A cell is a patch of the input.
        percentiles (Sequence[float]): Percentages of the cells to remove, more than 0 and at most 100.
        noise (float): Standard deviation of the noise on removed pixels, in normalised units; 0.01 is the default of
            the authors' code. One draw serves all images, so they differ only by what was removed.
        seed (int): Of the noise, and of the order of cells that are equally relevant.
        batch_size (int): Images in a forward pass.

    Returns:
        RoadCurves: Over the percentiles.

    Raises:
        InputError: ``maps`` or ``inputs`` do not belong to the target, ``maps`` are not finite, ``percentiles`` is
            empty or out of range, or ``batch_size`` is below 1.
    """
    check_arguments(inputs, target, maps, batch_size)
    if not percentiles or not all(0 < p <= 100 for p in percentiles):
        raise InputError(f'percentiles={tuple(percentiles)} must be above 0 and at most 100, and not empty')
    size, device = inputs.shape[-2:], inputs.device
    percentages = torch.tensor(percentiles, dtype=torch.float32, device=device)
    counts = cell_counts(percentages / 100, target.grid)
    ranks = cell_ranks(maps.to(device), seed)
    orders = torch.stack([ranks, reversed_ranks(ranks)])
    speckle = imputation_noise(inputs.shape[1:], noise, seed, inputs)

    def images_of(person: Tensor, keypoint: Tensor, variant: Tensor) -> Tensor:
        order, percentile = variant // len(counts), variant % len(counts)
        masks = pixel_masks(first_cells(orders[order, person, keypoint], counts[percentile]), size)
        return linear_imputation(inputs[person], masks) + speckle * masks.unsqueeze(1)

    with evaluating(model):
        unperturbed = read_images(model, inputs, target, batch_size).values
        removed = read_variants(model, target, 2 * len(counts), images_of, batch_size).values
    morf, lerf = normalised(removed, unperturbed).split(len(counts), dim=-1)
    return RoadCurves(percentages, morf, lerf)
